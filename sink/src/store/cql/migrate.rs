//! The schema: numbered files, compiled in, run in order, each as often as one likes.
//!
//! Invariant: a file that was released is never changed; a change is a further file whose every
//! statement may be repeated (`IF NOT EXISTS`), because what was run halfway is run again. Run it from
//! one place at a time: databases agree on a schema, but not on who of two changed it first.

use std::time::Duration;

use scylla::client::session::Session;
use scylla::statement::Statement;

use super::connect::{self, Profiles, behind, failed, unreadable};
use super::options::{CqlOptions, Replication};
use crate::store::StoreError;

/// By version, from 1, without gaps.
const MIGRATIONS: &[(i32, &str)] = &[
    (1, include_str!("migrations/0001_store.cql")),
    (2, include_str!("migrations/0002_once_ledger.cql")),
    (3, include_str!("migrations/0003_checks.cql")),
    (4, include_str!("migrations/0004_customers.cql")),
];

/// Nodes take their time over a change of schema, and giving up changes nothing.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(120);

/// What this program needs.
fn needed() -> i32 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

/// Brings the schema up to what this program needs. Gives the versions that were run.
///
/// # Errors
/// [`StoreError`].
pub async fn migrate(options: &CqlOptions) -> Result<Vec<i32>, StoreError> {
    let profiles = Profiles::of(options);
    let keyspace = connect::checked(&options.keyspace)?;
    let outside = connect::session(options, &profiles, false).await?;
    let replication = replication(&options.replication)?;
    run(
        &outside,
        &format!("CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {replication}"),
    )
    .await?;
    let session = connect::session(options, &profiles, true).await?;
    run(
        &session,
        "CREATE TABLE IF NOT EXISTS schema_version (one int, version int, PRIMARY KEY (one, version))",
    )
    .await?;
    let reached = version(&session).await?;
    ahead(reached)?;
    let mut done = Vec::new();
    for (version, statements) in MIGRATIONS.iter().filter(|(version, _)| *version > reached) {
        for statement in split(statements) {
            run(&session, &statement).await?;
        }
        run(&session, &format!("INSERT INTO schema_version (one, version) VALUES (1, {version})"))
            .await?;
        done.push(*version);
    }
    Ok(done)
}

/// Refuses a schema that is not the one this program was written for.
pub(super) async fn check(session: &Session, keyspace: &str) -> Result<(), StoreError> {
    let reached = match version(session).await {
        Err(StoreError::Broken(_)) => 0, // there is no table of versions
        other => other?,
    };
    ahead(reached)?;
    if reached < needed() {
        return Err(behind(&format!(
            "the schema of keyspace {keyspace} is version {reached}, this program needs {}",
            needed()
        )));
    }
    Ok(())
}

fn ahead(reached: i32) -> Result<(), StoreError> {
    if reached <= needed() {
        return Ok(());
    }
    Err(StoreError::Broken(format!(
        "the schema is version {reached}, made by a later release; this one knows {}: install that \
         release, or name another keyspace",
        needed()
    )))
}

async fn version(session: &Session) -> Result<i32, StoreError> {
    let found = session
        .query_unpaged("SELECT max(version) FROM schema_version WHERE one = 1", ())
        .await
        .map_err(|error| failed(&error))?
        .into_rows_result()
        .map_err(|error| unreadable(&error))?;
    let row = found.maybe_first_row::<(Option<i32>,)>().map_err(|error| unreadable(&error))?;
    Ok(row.and_then(|(version,)| version).unwrap_or(0))
}

/// Runs one statement; the driver waits until all nodes have agreed on what it changed.
async fn run(session: &Session, statement: &str) -> Result<(), StoreError> {
    let mut statement = Statement::new(statement);
    statement.set_request_timeout(Some(CHANGE_TIMEOUT));
    session.query_unpaged(statement, ()).await.map_err(|error| failed(&error)).map(|_| ())
}

fn replication(replication: &Replication) -> Result<String, StoreError> {
    Ok(match replication {
        Replication::Simple(copies) => {
            format!("{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
        }
        Replication::ByDc(dcs) => {
            let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
            if let Some((dc, _)) = dcs.iter().find(|(dc, _)| !dc.chars().all(plain)) {
                return Err(StoreError::Broken(format!("'{dc}' cannot be a data centre's name")));
            }
            let dcs: String =
                dcs.iter().map(|(dc, copies)| format!(", '{dc}': {copies}")).collect();
            format!("{{'class': 'NetworkTopologyStrategy'{dcs}}}")
        }
    })
}

/// The statements of a file, without its comments.
fn split(file: &str) -> Vec<String> {
    let code: Vec<&str> =
        file.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let statements = code.join("\n");
    let statements = statements.split(';').map(str::trim);
    statements.filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_may_be_run_again_and_versions_have_no_gaps() {
        for (at, (version, file)) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(*version).unwrap(), at + 1);
            let statements = split(file);
            assert!(!statements.is_empty());
            for statement in statements {
                assert!(statement.contains("IF NOT EXISTS"), "{statement}");
            }
        }
    }

    #[test]
    fn a_name_cannot_smuggle_in_a_statement() {
        assert!(connect::checked("correnteza_1").is_ok());
        assert!(connect::checked("x; DROP KEYSPACE y").is_err());
        assert!(replication(&Replication::ByDc(vec![("dc'1".to_owned(), 3)])).is_err());
        assert_eq!(
            replication(&Replication::ByDc(vec![("dc1".to_owned(), 3)])).unwrap(),
            "{'class': 'NetworkTopologyStrategy', 'dc1': 3}"
        );
    }
}
