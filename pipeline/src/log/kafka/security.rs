//! How the brokers are spoken to, and who we are.
//!
//! Invariant: no password and no key leaves this file but into the client's settings.

use std::path::{Path, PathBuf};

use super::Secret;
use crate::log::LogError;

/// Whether connections are encrypted, and whether a user logs in on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecurityProtocol {
    /// Neither.
    #[default]
    Plaintext,
    /// Encrypted; a client certificate may say who we are.
    Ssl,
    /// A user logs in on a bare connection.
    SaslPlaintext,
    /// A user logs in on an encrypted connection.
    SaslSsl,
}

impl SecurityProtocol {
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    fn logs_in(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    fn encrypts(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// How a user logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// The password is sent: on encrypted connections only.
    Plain,
    /// The password is proven, not sent (SHA-256).
    ScramSha256,
    /// The password is proven, not sent (SHA-512).
    ScramSha512,
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// How the brokers are spoken to, and who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// Whether connections are encrypted, and whether a user logs in.
    pub protocol: SecurityProtocol,
    /// Certificates (PEM) of who may have signed the brokers'; `None`: those the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), where brokers ask for one.
    pub certificate_file: Option<PathBuf>,
    /// Its key (PEM).
    pub key_file: Option<PathBuf>,
    /// What the key is locked with.
    pub key_password: Option<Secret>,
    /// How the user logs in.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// The user.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
}

impl Security {
    /// The client library's settings.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for what contradicts itself, or names a file that cannot be read.
    pub(super) fn settings(&self) -> Result<Vec<(&'static str, String)>, LogError> {
        self.check()?;
        let mut settings = vec![("security.protocol", self.protocol.name().to_owned())];
        let files = [
            ("ssl.ca.location", &self.ca_file),
            ("ssl.certificate.location", &self.certificate_file),
            ("ssl.key.location", &self.key_file),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                settings.push((name, readable(name, file)?));
            }
        }
        let words = [
            ("ssl.key.password", self.key_password.as_ref().map(|secret| secret.word().to_owned())),
            ("sasl.mechanism", self.sasl_mechanism.map(|how| how.name().to_owned())),
            ("sasl.username", self.username.clone()),
            ("sasl.password", self.password.as_ref().map(|secret| secret.word().to_owned())),
        ];
        settings.extend(words.into_iter().filter_map(|(name, word)| Some((name, word?))));
        Ok(settings)
    }

    fn check(&self) -> Result<(), LogError> {
        let login =
            [self.sasl_mechanism.is_some(), self.username.is_some(), self.password.is_some()];
        let tls = [
            self.ca_file.is_some(),
            self.certificate_file.is_some(),
            self.key_file.is_some(),
            self.key_password.is_some(),
        ];
        let protocol = self.protocol.name();
        let wrong = if self.protocol.logs_in() && login.contains(&false) {
            "asks for a mechanism, a user and a password: set all three"
        } else if !self.protocol.logs_in() && login.contains(&true) {
            "knows no users: take mechanism, user and password out, or choose sasl_ssl"
        } else if !self.protocol.encrypts() && tls.contains(&true) {
            "does not encrypt: take the certificates out, or choose ssl or sasl_ssl"
        } else if self.certificate_file.is_some() != self.key_file.is_some() {
            "needs the certificate's key with the certificate, and the other way round"
        } else {
            return Ok(());
        };
        Err(LogError::Fatal(format!("the brokers' security protocol {protocol} {wrong}")))
    }
}

/// `file` as the library takes it; that it cannot be read is said before the library tries.
fn readable(name: &str, file: &Path) -> Result<String, LogError> {
    std::fs::File::open(file).map_err(|error| {
        LogError::Fatal(format!("the file for {name}, {}: {error}", file.display()))
    })?;
    Ok(file.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_refused_with_words() {
        let cases = [
            (Security { protocol: SecurityProtocol::SaslSsl, ..Security::default() }, "all three"),
            (Security { username: Some("u".to_owned()), ..Security::default() }, "no users"),
            (Security { ca_file: Some("ca".into()), ..Security::default() }, "does not encrypt"),
            (
                Security {
                    protocol: SecurityProtocol::Ssl,
                    certificate_file: Some("c".into()),
                    ..Security::default()
                },
                "key with the certificate",
            ),
            (
                Security {
                    protocol: SecurityProtocol::Ssl,
                    ca_file: Some("no such file".into()),
                    ..Security::default()
                },
                "ssl.ca.location, no such file",
            ),
        ];
        for (security, words) in cases {
            let error = security.settings().unwrap_err();
            assert!(matches!(error, LogError::Fatal(_)));
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn passwords_are_not_told() {
        let secret = Some(Secret::new("pssst"));
        let security =
            Security { key_password: secret.clone(), password: secret, ..Security::default() };
        assert!(!format!("{security:?}").contains("pssst"));
        assert!(!security.settings().unwrap_err().to_string().contains("pssst"));
    }
}
