//! What makes no sense although it can be read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::Settings;

/// Shortest token that is worth the name, in characters.
const TOKEN_MIN: usize = 16;

/// Everything that makes no sense, in words.
pub(super) fn mistakes(settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    {
        let mut within = |name: &str, value: i64, range: RangeInclusive<i64>| {
            if !range.contains(&value) {
                wrong.push(format!(
                    "{name} is {value} and must be {} to {}",
                    range.start(),
                    range.end()
                ));
            }
        };
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let Settings { server, log, door, crm, retention, .. } = settings;
        within("server.drain_s", server.drain_s.cast_signed(), 1..=300);
        within("log.partitions", i64::from(log.partitions), 1..=1024);
        within("log.queue_bytes_max", number(log.queue_bytes_max), 1 << 20..=1 << 30);
        within("kafka.replication", i64::from(settings.kafka.replication), 1..=9);
        within("kafka.min_insync", i64::from(settings.kafka.min_insync), 0..=9);
        within("scylla.replication", i64::from(settings.scylla.replication), 1..=9);
        within("door.wait_ms", door.wait_ms.cast_signed(), 100..=30_000);
        within("door.body_bytes_max", number(door.body_bytes_max), 1024..=16 << 20);
        within("media.bytes_max", number(settings.media.bytes_max), 1024..=100 << 20);
        within("transcriber.wait_s", settings.transcriber.wait_s, 1..=600);
        within("crm.latency_ms_p50", crm.latency_ms_p50.cast_signed(), 0..=10_000);
        within("crm.errors_per_mille", crm.errors_per_mille.cast_signed(), 0..=1000);
        within("retention.history_days", i64::from(retention.history_days), 1..=36_500);
        for (name, tenant) in &settings.tenants {
            let offset = i64::from(tenant.utc_offset_minutes);
            within(&format!("tenants.{name}.utc_offset_minutes"), offset, -720..=840);
        }
    }
    let grouping = super::super::inputs::grouping(settings);
    wrong.extend(grouping.mistakes());
    for (name, tenant) in &settings.tenants {
        let own = tenant.grouping.as_ref().map(|own| own.over(grouping.default.clone()));
        let told = own.iter().flat_map(ingest::turns::Grouping::mistakes);
        wrong.extend(told.map(|(_, told)| format!("tenants.{name}.grouping.{told}")));
    }
    wrong.extend(tenants(settings));
    wrong.extend(access(settings));
    wrong
}

fn tenants(settings: &Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    if settings.tenants.is_empty() {
        wrong.push("tenants: there must be one at least".to_owned());
    }
    let plain = |name: &str| {
        !name.is_empty()
            && name.len() <= 40
            && name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_')
    };
    for name in settings.tenants.keys().filter(|name| !plain(name)) {
        wrong.push(format!("tenants.{name}: names are 1 to 40 of a-z, 0-9, - and _"));
    }
    let default = settings.default_tenant();
    if !settings.tenants.contains_key(default) {
        wrong.push(format!("server.default_tenant: there is no tenant '{default}'"));
    }
    for account in settings.channels.configured() {
        let (place, tenant) = (account.place, account.tenant);
        if !settings.tenants.contains_key(tenant) {
            wrong.push(format!("{place}.tenant: there is no tenant '{tenant}'"));
        }
        let missing = account.needed.into_iter().filter(|(_, secret)| secret.is_empty());
        wrong.extend(missing.map(|(key, _)| format!("{place}.{key} must not be empty")));
    }
    wrong.extend(super::email::mistakes(&settings.channels.email));
    wrong.extend(settings.channels.chatwoot.iter().filter_map(|(name, account)| {
        Some(format!("channels.chatwoot.{name}.{}", account.mirror_mistake()?))
    }));
    for (name, account) in &settings.channels.web_chat {
        let at = |what: String| format!("channels.web_chat.{name}.{what}");
        wrong.extend(account.mistakes().into_iter().map(at));
    }
    wrong.extend(settings.channels.mistaken_for_another());
    wrong.extend(super::phone::mistakes(&settings.channels.phone));
    wrong
}

/// Whoever can reach a door beyond loopback must show a token.
fn access(settings: &Settings) -> Vec<String> {
    let token = &settings.server.token;
    let mut wrong = Vec::new();
    if token.is_empty() && !settings.server.listen.ip().is_loopback() {
        wrong.push(format!(
            "server.token: {} can be reached from outside, so a token is required",
            settings.server.listen
        ));
    }
    let tenants = settings
        .tenants
        .iter()
        .map(|(name, tenant)| (format!("tenants.{name}.token"), &tenant.token));
    let mut seen = BTreeSet::new();
    let all = [("server.token".to_owned(), token)].into_iter().chain(tenants);
    for (place, token) in all.filter(|(_, token)| !token.is_empty()) {
        if token.len() < TOKEN_MIN {
            wrong.push(format!("{place}: must have {TOKEN_MIN} characters at least"));
        }
        if !seen.insert(token) {
            wrong.push(format!("{place}: another token is the same; each must be its own"));
        }
    }
    wrong
}
