//! Configuration: compiled-in defaults, then a file, then the environment. Unknown keys are refused,
//! and everything that is wrong is told at once.

mod channels;
mod check;
mod cluster;
mod email;
mod phone;
mod secrets;
mod tenants;
mod web_chat;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Config, Environment, File, FileFormat, Value, ValueKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::channels::Channels;
#[cfg(feature = "cluster")]
pub use self::cluster::{Delivery, Mechanism, Protocol, Transport};
pub use self::cluster::{Kafka, Scylla};
pub use self::email::{Email, MailSecurity};
pub use self::phone::Phone;
pub use self::tenants::{OwnGrouping, Tenant};

/// The defaults, with what every key means.
pub const DEFAULTS: &str = include_str!("default.toml");
/// What variables of the environment begin with.
const PREFIX: &str = "CORRENTEZA";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A source cannot be read.
    #[error("the configuration cannot be read: {0}")]
    Unreadable(String),
    /// Everything that is wrong.
    #[error("the configuration is wrong:\n  - {}", .0.join("\n  - "))]
    Wrong(Vec<String>),
}

/// Everything that is configured.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // default.toml is the documentation, and a test holds the two together
pub struct Settings {
    pub server: Server,
    pub log: Log,
    pub line: Line,
    pub kafka: Kafka,
    pub scylla: Scylla,
    pub door: Door,
    pub grouping: Grouping,
    pub router: Router,
    pub answers: Answers,
    pub models: Models,
    pub crm: Crm,
    pub deliver: Deliver,
    pub media: Media,
    pub transcriber: Transcriber,
    pub retention: Retention,
    pub telemetry: Telemetry,
    pub tenants: BTreeMap<String, Tenant>,
    pub channels: Channels,
}

macro_rules! sections {
    ($($(#[$meta:meta])* $name:ident { $($field:ident: $kind:ty),+ $(,)? })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs)] // default.toml is the documentation
        pub struct $name { $(pub $field: $kind),+ }
    )+};
}

sections! {
    /// `[server]`
    Server { listen: SocketAddr, default_tenant: String, data_dir: PathBuf, token: String, drain_s: u64 }
    /// `[log]`
    Log { partitions: u32, durability: Durability, queue_bytes_max: usize }
    /// `[line]`
    Line { layout: Layout }
    /// `[door]`
    Door { wait_ms: u64, body_bytes_max: usize }
    /// `[grouping]`
    Grouping { enabled: bool, window_ms: i64, age_ms_max: i64, messages_max: usize }
    /// `[router]`
    Router { policy_file: String }
    /// `[answers]`
    Answers { file: String }
    /// `[models]`
    Models { dir: String, context_hours: i64 }
    /// `[crm]`
    Crm { kind: CrmKind, latency_ms_p50: u64, errors_per_mille: u64 }
    /// `[deliver]`
    Deliver { callback_url: String }
    /// `[media]`
    Media { dir: String, bytes_max: usize, types: Vec<String> }
    /// `[transcriber]`
    Transcriber { url: String, api_key: String, model: String, language: String, wait_s: i64 }
    /// `[retention]`
    Retention { history_days: u32 }
    /// `[telemetry]`
    Telemetry { log: String, format: LogFormat }
}

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation
pub enum Durability {
    Fsync,
    Os,
}

/// How the stages from a message to its answer run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation
pub enum Layout {
    Separate,
    Chained,
}

/// Which CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation
pub enum CrmKind {
    Demo,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are the documentation
pub enum LogFormat {
    Text,
    Json,
}

impl Settings {
    /// Whose customers write when a request does not say.
    #[must_use]
    pub fn default_tenant(&self) -> &str {
        match self.server.default_tenant.as_str() {
            "" => self.tenants.keys().next().map_or("", String::as_str),
            named => named,
        }
    }

    /// Tenants whose customers' messages are not taken in.
    pub fn inactive(&self) -> impl Iterator<Item = &str> {
        let tenants = self.tenants.iter().filter(|(_, tenant)| !tenant.active);
        tenants.map(|(name, _)| name.as_str())
    }

    /// Reads the configuration: defaults, `file`, environment.
    ///
    /// # Errors
    /// [`ConfigError`], with everything that is wrong.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = Environment::with_prefix(PREFIX).prefix_separator("__").separator("__");
        Self::build(file, environment.try_parsing(true))
    }

    fn build(file: Option<&Path>, environment: Environment) -> Result<Self, ConfigError> {
        let unreadable = |error: config::ConfigError| ConfigError::Unreadable(error.to_string());
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml).required(true));
        }
        let merged = builder.add_source(environment).build().map_err(unreadable)?;
        let mut tree: BTreeMap<String, Value> = merged.try_deserialize().map_err(unreadable)?;
        let wrong = secrets::take_from_files(&mut tree);
        let mut sections = Sections { tree, wrong };
        let settings = sections.settings();
        let mut wrong = sections.wrong;
        match settings {
            Some(settings) => {
                wrong.extend(check::mistakes(&settings));
                if wrong.is_empty() { Ok(settings) } else { Err(ConfigError::Wrong(wrong)) }
            }
            None => Err(ConfigError::Wrong(wrong)),
        }
    }

    /// Holds settings that were changed after they were read to what makes sense.
    ///
    /// # Errors
    /// [`ConfigError::Wrong`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = check::mistakes(self);
        if wrong.is_empty() { Ok(()) } else { Err(ConfigError::Wrong(wrong)) }
    }

    /// The effective values, secrets hidden.
    #[must_use]
    pub fn redacted(&self) -> String {
        let mut shown = self.clone();
        let hide = |secret: &mut String| {
            if !secret.is_empty() {
                "***".clone_into(secret);
            }
        };
        hide(&mut shown.server.token);
        shown.kafka.secrets().into_iter().for_each(hide);
        hide(&mut shown.scylla.password);
        shown.tenants.values_mut().map(|tenant| &mut tenant.token).for_each(hide);
        hide(&mut shown.transcriber.api_key);
        shown.channels.secrets().into_iter().for_each(hide);
        toml::to_string_pretty(&shown).unwrap_or_else(|error| error.to_string())
    }
}

/// Reads section by section, so that one mistake does not hide the next.
struct Sections {
    tree: BTreeMap<String, Value>,
    wrong: Vec<String>,
}

impl Sections {
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self
            .tree
            .remove(name)
            .unwrap_or_else(|| Value::new(None, ValueKind::Table(config::Map::default())));
        value
            .try_deserialize()
            .map_err(|error: config::ConfigError| self.wrong.push(format!("[{name}] {error}")))
            .ok()
    }

    fn settings(&mut self) -> Option<Settings> {
        let sections = (
            (self.take("server"), self.take("log"), self.take("line")),
            (self.take("kafka"), self.take("scylla")),
            (self.take("door"), self.take("grouping")),
            (self.take("router"), self.take("answers"), self.take("models"), self.take("crm")),
            (self.take("deliver"), self.take("retention"), self.take("telemetry")),
            (self.take("media"), self.take("transcriber")),
            (self.take("tenants"), self.take::<Channels>("channels")),
        );
        let unknown: Vec<String> =
            self.tree.keys().map(|name| format!("[{name}] is not known")).collect();
        self.wrong.extend(unknown);
        let (
            (server, log, line),
            (kafka, scylla),
            (door, grouping),
            (router, answers, models, crm),
            (deliver, retention, telemetry),
            (media, transcriber),
            (tenants, channels),
        ) = sections;
        Some(Settings {
            server: server?,
            log: log?,
            line: line?,
            kafka: kafka?,
            scylla: scylla?,
            door: door?,
            grouping: grouping?,
            router: router?,
            answers: answers?,
            models: models?,
            crm: crm?,
            deliver: deliver?,
            media: media?,
            transcriber: transcriber?,
            retention: retention?,
            telemetry: telemetry?,
            tenants: tenants?,
            channels: channels?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("correnteza.toml");
        std::fs::write(&path, toml).unwrap();
        let variables = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .source(Some(variables.collect()));
        Settings::build(Some(&path), environment)
    }

    #[test]
    fn the_defaults_are_sound_and_later_sources_win() {
        let settings = load("", &[]).unwrap();
        assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
        let toml = "[grouping]\nwindow_ms = 5000\n[door]\nwait_ms = 3000\n[tenants.acme]\nutc_offset_minutes = -240";
        let settings = load(toml, &[("CORRENTEZA__DOOR__WAIT_MS", "4000")]).unwrap();
        assert_eq!((settings.grouping.window_ms, settings.door.wait_ms), (5000, 4000));
        assert_eq!(settings.tenants.len(), 2);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let toml = "[server]\nlisten = \"nowhere\"\n[log]\ndurability = \"maybe\"\n[door]\nwiat_ms = 3\n\
                    [nonsense]\na = 1";
        let Err(ConfigError::Wrong(wrong)) = load(toml, &[]) else { panic!() };
        assert_eq!(wrong.len(), 4, "{wrong:#?}");
        let toml = "[grouping]\nwindow_ms = 99999999\n[crm]\nerrors_per_mille = 5000";
        let Err(ConfigError::Wrong(wrong)) = load(toml, &[]) else { panic!() };
        assert!(wrong.len() >= 2, "{wrong:#?}");
    }

    #[test]
    fn a_door_beyond_loopback_needs_a_token() {
        let open = [("CORRENTEZA__SERVER__LISTEN", "0.0.0.0:8080")];
        let error = load("", &open).unwrap_err().to_string();
        assert!(error.contains("server.token"), "{error}");
        assert!(load("[server]\ntoken = \"0123456789abcdef\"", &open).is_ok());
    }

    #[test]
    fn secrets_may_stand_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let named = file.to_str().unwrap();
        let settings = load("", &[("CORRENTEZA__SERVER__TOKEN_FILE", named)]).unwrap();
        assert_eq!(settings.server.token, "0123456789abcdef");
        let account = |rest: &str| {
            let toml = format!("[channels.telegram.bot]\ntenant = \"demo\"\n{rest}");
            load(&toml, &[]).map(|settings| settings.channels.telegram["bot"].secret_token.clone())
        };
        let from_file = format!("secret_token_file = \"{named}\"");
        assert_eq!(account(&from_file).unwrap(), "0123456789abcdef");
        for (rest, why) in [
            (format!("{from_file}\nsecret_token = \"x\""), "leave out one"),
            ("secret_token_file = \"/nowhere/at/all\"".to_owned(), "cannot be read"),
            ("secret_token = \"x\"\nsecret_tocken_file = \"y\"".to_owned(), "secret_tocken_file"),
        ] {
            let error = account(&rest).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_tenants_token_is_its_own() {
        let tenants = |token: &str| {
            let toml = format!(
                "[server]\ntoken = \"0123456789abcdef\"\n[tenants.a]\nutc_offset_minutes = 0\ntoken = \
                 \"{token}\"\n[tenants.b]\nutc_offset_minutes = 0\ntoken = \"b123456789abcdef\""
            );
            load(&toml, &[]).map(|settings| settings.redacted()).map_err(|error| error.to_string())
        };
        assert!(!tenants("a123456789abcdef").unwrap().contains("a123456789abcdef"));
        for twice in ["0123456789abcdef", "b123456789abcdef", "short"] {
            let error = tenants(twice).unwrap_err();
            assert!(error.contains("- tenants.") && error.contains(".token: "), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let toml = "[server]\ntoken = \"0123456789abcdef\"\n[channels.whatsapp_cloud.main]\ntenant = \"demo\"\n\
                    app_secret = \"hush\"\nverify_token = \"psst\"\n[channels.email.a]\ntenant = \"demo\"\n\
                    address = \"a@b\"\nimap = { host = \"h\", user = \"u\", password = \"mum-mum-mum-mum-mum\" }\n\
                    smtp = { host = \"h\", password = \"mum-mum-mum-mum-mum\" }\nsendgrid = { secret = \"mum-mum-mum-mum-mum\" }\n\
                    postmark = { secret = \"mum-mum-mum-mum-mum\" }\nmailgun = { signing_key = \"mum-mum-mum-mum-mum\" }";
        let shown = load(toml, &[]).unwrap().redacted();
        for secret in ["0123456789abcdef", "hush", "psst", "mum-mum-mum-mum-mum"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("wait_ms = 2000"), "{shown}");
    }

    #[test]
    fn an_address_that_cannot_work_is_told() {
        let account = |rest: &str| {
            let toml =
                format!("[channels.email.a]\ntenant = \"demo\"\naddress = \"a@b.example\"\n{rest}");
            load(&toml, &[]).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(account(""), Ok(()));
        assert_eq!(account("smtp = { host = \"127.0.0.1\", security = \"none\" }"), Ok(()));
        for (rest, key) in [
            ("smtp = { host = \"mail.example\", security = \"none\" }", "smtp.security"),
            ("imap = { host = \"h\", user = \"u\", password = \"\" }", "imap.password"),
            (
                "imap = { host = \"h\", user = \"u\", password = \"p\", security = \"none\" }",
                "imap.security",
            ),
            ("sendgrid = { secret = \"short\" }", "sendgrid.secret"),
            ("mailgun = { signing_key = \"\" }", "mailgun.signing_key"),
            ("pop3 = { host = \"h\" }", "pop3"),
        ] {
            let error = account(rest).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        let stranger = "[channels.email.a]\ntenant = \"x\"\naddress = \"nowhere\"";
        let error = load(stranger, &[]).unwrap_err().to_string();
        assert!(error.contains("a.tenant") && error.contains("a.address"), "{error}");
    }

    #[test]
    fn a_site_that_cannot_work_is_told() {
        let account = |rest: &str| {
            let toml = format!("[channels.web_chat.loja]\ntenant = \"demo\"\n{rest}");
            load(&toml, &[]).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(account("origins = \"https://a.example, http://localhost:3000\""), Ok(()));
        for (rest, key) in [
            ("origins = \"a.example\"", "loja.origins"),
            ("origins = \"https://a.example/chat\"", "loja.origins"),
            ("site_secret = \"short\"", "loja.site_secret"),
            ("visitor_hours = 0", "loja.visitor_hours"),
            ("messages_per_minute = 0", "loja.messages_per_minute"),
            ("secret = \"x\"", "secret"),
        ] {
            let error = account(rest).unwrap_err();
            assert!(error.contains(key), "{error}");
        }
        let secret = "0123456789abcdef0123456789abcdef";
        let toml =
            format!("[channels.web_chat.loja]\ntenant = \"demo\"\nsite_secret = \"{secret}\"");
        assert!(!load(&toml, &[]).unwrap().redacted().contains(secret));
    }

    #[test]
    fn every_key_has_a_comment() {
        let mut commented = false;
        for line in DEFAULTS.lines() {
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(commented, "{line} has no comment above it");
            }
            commented = line.starts_with('#');
        }
    }
}
