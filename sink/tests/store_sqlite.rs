//! The SQLite store keeps every promise of a store.
#![allow(missing_docs, clippy::unwrap_used)] // a test fails loudly

use schemas::topics::CONVERSATIONS;
use sink::Store;
use sink::store::sqlite::SqliteStore;
use sink::testkit::Story;

/// A store that takes its folder with it.
struct Fresh {
    store: SqliteStore,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Fresh {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    Fresh { store, _folder: folder }
}

sink::store_suite!(fresh());

#[tokio::test]
async fn no_column_holds_readable_text() {
    let fresh = fresh();
    fresh.store.apply(Story::new(1).rows()).await.unwrap();
    for entry in std::fs::read_dir(fresh._folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = "legível".as_bytes();
        assert!(!bytes.windows(text.len()).any(|window| window == text));
    }
}

/// What is wanted at one time is written together; what cannot be written holds up no other.
#[tokio::test]
async fn what_cannot_be_written_fails_by_itself() {
    let fresh = fresh();
    let (good, bad) = (Story::new(1), Story::new(2));
    // Behind this one the others wait their time, and come together.
    fresh.store.apply(Story::new(3).rows()).await.unwrap();
    let never = bad.line(1 << 24, 1_000, |_| {});
    let (first, refused, last) = tokio::join!(
        fresh.store.apply(good.rows()),
        fresh.store.apply(vec![never]),
        fresh.store.pass(CONVERSATIONS, &[(3, 7)]),
    );
    assert!(first.is_ok() && last.is_ok(), "{first:?} {last:?}");
    assert!(refused.unwrap_err().to_string().contains("lines"));
    assert!(fresh.conversation(good.conversation_id()).await.unwrap().is_some());
    assert_eq!(fresh.conversation(bad.conversation_id()).await.unwrap(), None);
    assert_eq!(fresh.positions(CONVERSATIONS).await.unwrap(), Some(vec![(3, 7)]));
}

#[tokio::test]
async fn lines_can_be_read_with_sql() {
    let fresh = fresh();
    let story = Story::new(1);
    fresh.store.apply(story.rows()).await.unwrap();
    let file = rusqlite::Connection::open(fresh._folder.path().join("store.db")).unwrap();
    let mut asked =
        file.prepare("SELECT seq FROM lines WHERE conversation = ?1 ORDER BY seq").unwrap();
    let found = asked.query_map([story.conversation_id().as_bytes()], |row| row.get(0)).unwrap();
    let found: Vec<i64> = found.map(Result::unwrap).collect();
    let history = fresh.history(story.conversation_id(), 0, 100).await.unwrap();
    assert!(!found.is_empty() && history.iter().map(|(_, line)| line.seq).eq(found));
}

#[test]
fn another_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let Err(error) = SqliteStore::open(&path) else { panic!("it opened") };
    assert!(error.to_string().contains("delete it"), "{error}");
}
