//! The layout: whether the stages from a message to its answer run each by itself or as one chain. It
//! belongs to the log, not to a start: each layout has its own groups, with their own positions and
//! states, and the other one would begin with the oldest record and answer everything again.

use anyhow::{Context, bail};
use classifier::stage::Classify;
use ingest::turns::Turns;
use pipeline::log::From;
use pipeline::{Log, Record, Setup, Stage, partition};
use responder::Plan;
use router::Router;
use schemas::Avro;
use schemas::ops::Setting;
use schemas::topics::{CLASSIFIED, CONVERSATIONS, INBOUND, SETTINGS, TURNS, Topic};

use crate::config::Layout;

/// The setting that says with which layout a log was begun.
pub const SETTING: &str = "layout";

/// The stages from a message to its answer, in order, and what each of them reads.
pub const STAGES: [(&str, Topic); 4] = [
    (Turns::NAME, INBOUND),
    (Classify::NAME, TURNS),
    (Router::NAME, CLASSIFIED),
    (Plan::NAME, CONVERSATIONS),
];

/// A record behind which all earlier ones have been read.
const LOOK: &str = "look";

/// The layout `log` was begun with; none when it is new.
///
/// # Errors
/// When the log cannot be read, or names a layout this release does not have.
pub async fn recorded(log: &dyn Log, now_ms: i64) -> anyhow::Result<Option<Layout>> {
    let mut tail = log.tail(&[SETTINGS], From::Start).await?;
    let look = Setting { name: LOOK.to_owned(), version: String::new(), content: Vec::new() };
    let look = Record::new(SETTINGS, LOOK, look.to_bytes()?, now_ms);
    // The same key as the layout's keeps it in the same partition, behind it.
    let look =
        Record { partition: Some(partition::of(SETTING.as_bytes(), log.partitions())), ..look };
    let placed = log.append(vec![look]).await?.0;
    let mut found = None;
    loop {
        for record in tail.next().await? {
            if placed.contains(&(record.partition, record.offset)) {
                return found.map(|name: String| parse(&name)).transpose();
            }
            let Some(value) = &record.value else { continue };
            let setting = Setting::from_bytes(value)?;
            if setting.name == SETTING {
                found = Some(setting.version);
            }
        }
    }
}

/// The layout called `begun`.
///
/// # Errors
/// When there is none.
pub fn parse(begun: &str) -> anyhow::Result<Layout> {
    let layouts = [Layout::Separate, Layout::Chained];
    let found = layouts.into_iter().find(|layout| name(*layout) == begun);
    found.with_context(|| format!("this release has no layout \"{begun}\""))
}

/// Writes down that `log` has `layout` from now on.
///
/// # Errors
/// When the log does not take it.
pub async fn record(log: &dyn Log, layout: Layout, now_ms: i64) -> anyhow::Result<()> {
    let version = name(layout).to_owned();
    let setting = Setting { name: SETTING.to_owned(), version, content: Vec::new() };
    log.append(vec![Record::new(SETTINGS, SETTING, setting.to_bytes()?, now_ms)]).await?;
    Ok(())
}

/// What a layout is called.
pub fn name(layout: Layout) -> &'static str {
    match layout {
        Layout::Separate => "separate",
        Layout::Chained => "chained",
    }
}

/// Where the second try of what `stage` could not use goes. `input`: what the stage reads when it runs by
/// itself.
pub fn again(layout: Layout, stage: &str, input: Topic) -> Topic {
    let [(_, first), inner @ ..] = STAGES;
    let is_link = inner.into_iter().any(|(name, _)| name == stage);
    if is_link && layout == Layout::Chained { first } else { input }
}

/// Refuses another layout than the one the log was begun with (`begun`), and writes down the layout of a
/// new log.
///
/// # Errors
/// When it is another, or the log does not take it.
pub async fn hold(
    log: &dyn Log,
    layout: Layout,
    begun: Option<&str>,
    now_ms: i64,
) -> anyhow::Result<()> {
    let begun = match begun {
        Some(begun) => begun,
        // What earlier releases began is separate.
        None if is_used(log).await? => name(Layout::Separate),
        None => name(layout),
    };
    if begun != name(layout) {
        bail!(
            "line.layout is \"{}\", but this log has \"{begun}\": put that back, or stop every process \
             and run `correnteza topology change --to {}`",
            name(layout),
            name(layout)
        );
    }
    record(log, layout, now_ms).await
}

/// Whether any message has come further than `inbound`.
async fn is_used(log: &dyn Log) -> anyhow::Result<bool> {
    for topic in [TURNS, CONVERSATIONS] {
        // Nobody has ever read it under this name: all there is, is ahead.
        if log.lag(&Setup::stage_group(SETTING, topic, None)).await? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;

    use super::*;
    use crate::config::Settings;
    use crate::inputs::Inputs;

    fn chained() -> Settings {
        let mut settings = Settings::load(None).unwrap();
        settings.line.layout = Layout::Chained;
        settings
    }

    #[tokio::test]
    async fn a_log_keeps_the_layout_it_was_begun_with() {
        let separate = Settings::load(None).unwrap();
        let log = MemoryLog::new(2);
        for _ in 0..2 {
            Inputs::load(&log, &chained(), 1).await.unwrap();
        }
        let error = Inputs::load(&log, &separate, 2).await.err().unwrap().to_string();
        assert!(error.contains("\"chained\""), "{error}");
        Inputs::load(&log, &chained(), 3).await.unwrap();
        assert_eq!(recorded(&log, 4).await.unwrap(), Some(Layout::Chained));
        record(&log, Layout::Separate, 5).await.unwrap();
        assert_eq!(recorded(&log, 6).await.unwrap(), Some(Layout::Separate));
        Inputs::load(&log, &separate, 7).await.unwrap();
    }

    #[tokio::test]
    async fn what_an_earlier_release_began_is_separate() {
        let log = MemoryLog::new(2);
        log.append(vec![Record::new(TURNS, "k", "x", 1)]).await.unwrap();
        assert!(Inputs::load(&log, &chained(), 1).await.is_err());
        Inputs::load(&log, &Settings::load(None).unwrap(), 2).await.unwrap();
    }

    #[test]
    fn second_tries_go_where_their_stage_reads() {
        let router = |layout| again(layout, Router::NAME, CLASSIFIED);
        assert_eq!(router(Layout::Separate), CLASSIFIED);
        assert_eq!(router(Layout::Chained), INBOUND);
        assert_eq!(again(Layout::Chained, Turns::NAME, INBOUND), INBOUND);
        assert_eq!(again(Layout::Chained, "metrics", CONVERSATIONS), CONVERSATIONS);
    }
}
