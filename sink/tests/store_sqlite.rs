//! The SQLite store keeps every promise of a store.
#![allow(missing_docs, clippy::unwrap_used)] // a test fails loudly

use sink::Store;
use sink::store::sqlite::SqliteStore;

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
    fresh.store.apply(sink::testkit::Story::new(1).rows()).await.unwrap();
    for entry in std::fs::read_dir(fresh._folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let text = "legível".as_bytes();
        assert!(!bytes.windows(text.len()).any(|window| window == text));
    }
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
