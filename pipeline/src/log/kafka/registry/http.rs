//! The registry's HTTP interface (Confluent's routes, which other registries offer too).
//!
//! Invariant: every call ends within [`Options::within`](super::RegistryOptions::within), and what
//! it failed of says whether trying again may help. Calls block: never on an async worker, never on
//! a thread that polls a group.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body, http};

use super::{RegistryError, RegistryOptions};

/// What registries answer with, and of what size at most.
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
const BYTES_MAX: u64 = 4 << 20;
/// How much of a registry's own words is told.
const WORDS_MAX: usize = 300;

/// A registry, spoken to.
pub(super) struct Api {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    authorization: Option<String>,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Found {
    schema: String,
}

/// Asked for, Confluent's registry says `compatibilityLevel`.
#[derive(Deserialize)]
struct Level {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

#[derive(Deserialize)]
struct Words {
    message: String,
}

impl Api {
    pub(super) fn new(options: &RegistryOptions) -> Result<Self, RegistryError> {
        let url = options.url.trim_end_matches('/').to_owned();
        let wrong = |what: &str| Err(RegistryError::Refused(what.to_owned()));
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return wrong("the schema registry's address must begin with http:// or https://");
        }
        if url.contains('@') {
            return wrong(
                "the schema registry's address holds a user: set user and password on their own",
            );
        }
        let mut tls = TlsConfig::builder()
            .provider(TlsProvider::NativeTls)
            .root_certs(RootCerts::PlatformVerifier);
        if let Some(file) = &options.ca_file {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(file)?));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(options.within))
            .timeout_connect(Some(options.within.min(Duration::from_secs(3))))
            .http_status_as_error(false)
            // Where schemas come from is not for the environment to decide.
            .proxy(None)
            .tls_config(tls.build());
        let password = options.password.as_ref().map_or("", |password| password.word());
        let authorization = options.username.as_ref().map(|name| {
            format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))
        });
        Ok(Self { agent: Agent::new_with_config(config.build()), url, authorization })
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Registers `schema` under `subject`, unless it is there already. Returns its id.
    pub(super) fn register(&self, subject: &str, schema: &Value) -> Result<u32, RegistryError> {
        let route = format!("/subjects/{subject}/versions");
        let body = json!({ "schema": schema.to_string() });
        let answer: Registered = self.asked("POST", &route, Some(&body))?.read()?;
        Ok(answer.id)
    }

    /// The text of the schema called `id`, if there is one.
    pub(super) fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        match self.asked("GET", &format!("/schemas/ids/{id}"), None)? {
            Answer { status: 404, .. } => Ok(None),
            answer => answer.read::<Found>().map(|found| Some(found.schema)),
        }
    }

    /// Which changes `subject` takes, where that was set for it.
    pub(super) fn compatibility(&self, subject: &str) -> Result<Option<String>, RegistryError> {
        match self.asked("GET", &format!("/config/{subject}"), None)? {
            Answer { status: 404, .. } => Ok(None),
            answer => answer.read::<Level>().map(|found| Some(found.level)),
        }
    }

    /// Sets which changes `subject` takes.
    pub(super) fn set_compatibility(
        &self,
        subject: &str,
        level: &str,
    ) -> Result<(), RegistryError> {
        let body = json!({ "compatibility": level });
        self.asked("PUT", &format!("/config/{subject}"), Some(&body))?.read::<Value>().map(|_| ())
    }

    fn asked(
        &self,
        method: &str,
        route: &str,
        body: Option<&Value>,
    ) -> Result<Answer, RegistryError> {
        let failed = |error: ureq::Error| {
            let advice = match error {
                ureq::Error::NativeTls(_) | ureq::Error::Tls(_) => {
                    "; check the file of certificates set for it, and the name it is called by"
                }
                _ => "",
            };
            let url = &self.url;
            RegistryError::Unavailable(format!(
                "the schema registry at {url} cannot be asked: {error}{advice}"
            ))
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{route}", self.url))
            .header("Accept", format!("{CONTENT}, application/json"))
            .header("Content-Type", CONTENT);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answered = match body {
            Some(body) => {
                let request = request.body(body.to_string()).map_err(|e| failed(e.into()))?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).map_err(|e| failed(e.into()))?),
        };
        let mut answered: http::Response<Body> = answered.map_err(failed)?;
        let body = answered.body_mut().with_config().limit(BYTES_MAX).read_to_string();
        let status = answered.status().as_u16();
        Ok(Answer {
            status,
            what: format!("{method} {}{route}", self.url),
            body: body.map_err(failed)?,
        })
    }
}

/// What a registry answered.
struct Answer {
    status: u16,
    /// To what.
    what: String,
    body: String,
}

impl Answer {
    fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, RegistryError> {
        if (200..300).contains(&self.status) {
            return serde_json::from_str(&self.body).map_err(|_| {
                RegistryError::Refused(format!(
                    "what answers {} is no schema registry: check the address, its path above all",
                    self.what
                ))
            });
        }
        let words = serde_json::from_str::<Words>(&self.body).map_or(String::new(), |words| {
            let words: String = words.message.chars().take(WORDS_MAX).collect();
            format!(": {words}")
        });
        let told = format!("{} was answered with {}{words}", self.what, self.status);
        Err(match self.status {
            409 => RegistryError::Incompatible(told),
            408 | 425 | 429 | 500.. => RegistryError::Unavailable(told),
            401 | 403 => RegistryError::Refused(format!(
                "{told}; check the registry's user, password and rights"
            )),
            _ => RegistryError::Refused(told),
        })
    }
}

/// The certificates in a PEM file.
fn certificates(file: &std::path::Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let wrong = |why: String| {
        let file = file.display();
        RegistryError::Refused(format!("no certificates for the registry in {file}: {why}"))
    };
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(wrong("it holds none".to_owned())) } else { Ok(found) }
}
