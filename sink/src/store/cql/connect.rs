//! Sessions with the database: where requests go, how long they take, what is tried again.
//!
//! Requests go to a node that holds the partition (token-aware), of the local data centre only when
//! one is named: falling over to another would wait for its distance on every request, and is the
//! operator's decision.

use std::sync::Arc;
use std::time::Duration;

use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
use scylla::client::execution_profile::{ExecutionProfile, ExecutionProfileHandle};
use scylla::client::session::{OpenSsl010Config, Session};
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, NewSessionError, PrepareError, RequestAttemptError};
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::{DefaultRetryPolicy, FallthroughRetryPolicy};
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::statement::{Consistency as Level, SerialConsistency};

use super::options::{Consistency, CqlOptions, Serial, Tls};
use crate::store::StoreError;

/// A read that has waited this long is asked of another copy too: far above a healthy p99, far below
/// a pause of a node.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How requests of each kind are run.
pub(super) struct Profiles {
    /// Timestamps are explicit, so a write may be repeated on the next node when the connection
    /// broke or the node was overloaded. Never speculatively: it would only add load when there is
    /// too much already, and the effect repeats what failed.
    pub(super) write: ExecutionProfileHandle,
    /// Repeated like writes, and speculatively once: people wait for these.
    pub(super) read: ExecutionProfileHandle,
    /// Lightweight transactions: never repeated by the driver, in no form. What became of one whose
    /// answer is missing is found out by a serial read (`ledger.rs`).
    pub(super) once: ExecutionProfileHandle,
}

impl Profiles {
    pub(super) fn of(options: &CqlOptions) -> Self {
        let mut balance = DefaultPolicy::builder().token_aware(true).permit_dc_failover(false);
        if let Some(dc) = &options.local_dc {
            balance = balance.prefer_datacenter(dc.clone());
        }
        let level = match options.consistency {
            Consistency::LocalQuorum => Level::LocalQuorum,
            Consistency::Quorum => Level::Quorum,
            Consistency::LocalOne => Level::LocalOne,
        };
        let base = ExecutionProfile::builder()
            .load_balancing_policy(balance.build())
            .request_timeout(Some(options.request_timeout))
            .consistency(level)
            .retry_policy(Arc::new(DefaultRetryPolicy::new()))
            .speculative_execution_policy(None);
        let again = SimpleSpeculativeExecutionPolicy {
            max_retry_count: 1,
            retry_interval: READ_AGAIN_AFTER,
        };
        // The outcome is learnt where it was agreed on, so that a claim outlives its node.
        let (serial, learnt) = match options.serial {
            Serial::AllDcs => (SerialConsistency::Serial, Level::Quorum),
            Serial::LocalDc => (SerialConsistency::LocalSerial, Level::LocalQuorum),
        };
        let once = base
            .clone()
            .consistency(learnt)
            .serial_consistency(Some(serial))
            .retry_policy(Arc::new(FallthroughRetryPolicy::new()));
        Self {
            write: base.clone().build().into_handle(),
            read: base.speculative_execution_policy(Some(Arc::new(again))).build().into_handle(),
            once: once.build().into_handle(),
        }
    }
}

/// Refuses names that would have to be quoted.
pub(super) fn checked(keyspace: &str) -> Result<&str, StoreError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = keyspace.starts_with(|c: char| c.is_ascii_lowercase());
    if begins && keyspace.len() <= 48 && keyspace.chars().all(plain) {
        return Ok(keyspace);
    }
    Err(StoreError::Broken(format!(
        "'{keyspace}' cannot be a keyspace: use lower-case letters, digits and _, at most 48, \
         beginning with a letter"
    )))
}

/// Opens a session. With `inside` it works in the keyspace, which must be there.
pub(super) async fn session(
    options: &CqlOptions,
    profiles: &Profiles,
    inside: bool,
) -> Result<Session, StoreError> {
    let keyspace = checked(&options.keyspace)?;
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.contact_points)
        .default_execution_profile_handle(profiles.write.clone())
        .keyspaces_to_fetch([keyspace])
        .connection_timeout(options.request_timeout.min(Duration::from_secs(5)));
    if inside {
        builder = builder.use_keyspace(keyspace, false);
    }
    if let Some((name, password)) = &options.login {
        builder = builder.user(name, password);
    }
    if let Some(tls) = &options.tls {
        builder = builder.tls_context(Some(encrypted(tls)?));
    }
    builder.build().await.map_err(|error| match &error {
        NewSessionError::UseKeyspaceError(_) => behind(&format!("there is no keyspace {keyspace}")),
        NewSessionError::EmptyKnownNodesList | NewSessionError::IllegalConfig(_) => {
            StoreError::Broken(error.to_string())
        }
        _ => StoreError::Unavailable(format!(
            "no node at {} lets us in: {error}",
            options.contact_points.join(", ")
        )),
    })
}

/// The schema is not there or an older one.
pub(super) fn behind(what: &str) -> StoreError {
    StoreError::Broken(format!("{what}: run 'correnteza store migrate' with the same settings"))
}

fn encrypted(tls: &Tls) -> Result<OpenSsl010Config, StoreError> {
    let build = || {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        if let Some(file) = &tls.ca_file {
            builder.set_ca_file(file)?;
        }
        if let Some(file) = &tls.cert_file {
            builder.set_certificate_chain_file(file)?;
        }
        if let Some(file) = &tls.key_file {
            builder.set_private_key_file(file, SslFiletype::PEM)?;
            builder.check_private_key()?;
        }
        Ok(OpenSsl010Config::new(builder))
    };
    build().map_err(|error: openssl::error::ErrorStack| {
        StoreError::Broken(format!("the certificates of the database cannot be used: {error}"))
    })
}

/// What a failed request means for the caller.
pub(super) fn failed(error: &ExecutionError) -> StoreError {
    // What no second try mends: our schema and theirs differ, or we may not.
    let broken = match error {
        ExecutionError::BadQuery(_) | ExecutionError::EmptyPlan => true,
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(db, _)) => matches!(
            db,
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::Unauthorized
                | DbError::AuthenticationError
                | DbError::ConfigError
        ),
        _ => false,
    };
    if broken {
        StoreError::Broken(error.to_string())
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

pub(super) fn unprepared(error: &PrepareError) -> StoreError {
    match error {
        PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::DbError(DbError::Invalid, _),
        } => behind(&error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// What was read is not what was written.
pub(super) fn unreadable(what: &dyn std::fmt::Display) -> StoreError {
    StoreError::Broken(format!("a row of the database is unreadable: {what}"))
}
