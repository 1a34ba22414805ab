//! Secrets from files: wherever a secret may stand, `<key>_file` may name a file that holds it, as
//! Docker and Kubernetes mount them.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};

/// Keys that may be given so.
const SECRETS: &[&str] = &[
    "access_token",
    "app_secret",
    "auth_token",
    "bot_token",
    "key_password",
    "password",
    "secret",
    "secret_token",
    "signing_key",
    "token",
    "verify_token",
    "webhook_secret",
];

/// Puts what the files hold in the place of their names; tells what is wrong.
pub(super) fn take_from_files(tree: &mut BTreeMap<String, Value>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, section) in tree {
        take(name, section, &mut wrong);
    }
    wrong
}

fn take(place: &str, value: &mut Value, wrong: &mut Vec<String>) {
    let ValueKind::Table(table) = &mut value.kind else { return };
    for secret in SECRETS {
        if let Err(why) = take_one(table, secret) {
            wrong.push(format!("{place}.{secret}_file: {why}"));
        }
    }
    for (key, within) in table {
        take(&format!("{place}.{key}"), within, wrong);
    }
}

fn take_one(table: &mut Map<String, Value>, secret: &str) -> Result<(), String> {
    let Some(named) = table.remove(&format!("{secret}_file")) else { return Ok(()) };
    let path = named.into_string().map_err(|error| error.to_string())?;
    let given = table
        .get(secret)
        .is_some_and(|value| !matches!(&value.kind, ValueKind::String(text) if text.is_empty()));
    match (path.is_empty(), given) {
        (true, _) => Ok(()),
        (false, true) => Err(format!("{secret} is given as well; leave out one of the two")),
        (false, false) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("{path} cannot be read: {error}"))?;
            let text = text.trim_end_matches(['\r', '\n']).to_owned();
            if text.is_empty() {
                return Err(format!("{path} is empty"));
            }
            table.insert(secret.to_owned(), Value::new(None, ValueKind::String(text)));
            Ok(())
        }
    }
}
