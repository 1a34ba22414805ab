//! What an installation's processes tell of themselves, and what is known of them from outside.

use std::collections::BTreeMap;
use std::time::Duration;

use super::installation::Installation;
use crate::api::Api;

impl Installation {
    /// How many partitions each process holds of each part, by part.
    pub async fn held(&self) -> BTreeMap<String, Vec<u64>> {
        let mut held: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for metrics in self.metrics().await {
            for (part, partitions) in series(&metrics, "correnteza_stage_partitions{stage=\"") {
                held.entry(part).or_default().push(partitions);
            }
        }
        held
    }

    /// How many records the process called `name` has taken, of all its parts; nothing while it does
    /// not say.
    pub async fn taken(&self, name: &str) -> Option<u64> {
        let api = Api::new(&format!("http://127.0.0.1:{}", self.port(name).ok()?));
        let told = api.get("/metrics").await.ok()?;
        let taken = series(&told.text, "correnteza_stage_received_total{stage=\"");
        Some(taken.into_iter().map(|(_, records)| records).sum())
    }

    /// How far each group is behind, as the processes said last.
    pub async fn lag(&self) -> BTreeMap<String, u64> {
        let mut lag: BTreeMap<String, u64> = BTreeMap::new();
        for metrics in self.metrics().await {
            for (group, records) in series(&metrics, "correnteza_lag_records{group=\"") {
                let most = lag.entry(group).or_default();
                *most = records.max(*most);
            }
        }
        lag
    }

    async fn metrics(&self) -> Vec<String> {
        let ports: Vec<u16> =
            self.processes.lock().values().map(|process| process.role.port).collect();
        let mut found = Vec::new();
        for port in ports {
            let api = Api::new(&format!("http://127.0.0.1:{port}"));
            // One that stands still or is down tells nothing.
            let asked = tokio::time::timeout(Duration::from_secs(2), api.get("/metrics")).await;
            if let Ok(Ok(answer)) = asked {
                found.push(answer.text);
            }
        }
        found
    }

    /// Memory of each process, in MB.
    #[must_use]
    pub fn rss_mb(&self) -> BTreeMap<String, u64> {
        let processes = self.processes.lock();
        let found = processes
            .iter()
            .filter_map(|(name, process)| Some((name.clone(), process.rss_kb()? / 1024)));
        found.collect()
    }

    /// How often processes ended without being asked to, since the start.
    #[must_use]
    pub fn ended_by_itself(&self) -> usize {
        self.processes.lock().values().map(|process| process.ended_by_itself.len()).sum()
    }

    /// How many lines all processes wrote that hold `words`, restarts included.
    #[must_use]
    pub fn said(&self, words: &str) -> u64 {
        let logs = std::fs::read_dir(&self.layout.root).into_iter().flatten().flatten();
        let texts = logs.filter_map(|dir| std::fs::read(dir.path().join("said.log")).ok());
        let lines = texts.map(|text| {
            String::from_utf8_lossy(&text).lines().filter(|line| line.contains(words)).count()
        });
        lines.map(|lines| lines as u64).sum()
    }
}

/// Label and value of the lines that begin with `prefix`, which ends in the label's quote.
fn series(metrics: &str, prefix: &str) -> Vec<(String, u64)> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(prefix));
    let found = lines.filter_map(|line| {
        let (label, rest) = line.split_once('"')?;
        Some((label.to_owned(), rest.rsplit(' ').next()?.parse().ok()?))
    });
    found.collect()
}
