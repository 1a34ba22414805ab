//! What topics the brokers have: the first question of a start, and the one that tells why brokers
//! cannot be reached.
//!
//! Asked by a client of its own: one that has heard of all topics goes on believing it, and would not
//! find those made after.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use super::REQUEST_WITHIN;
use super::client::{Clients, log_error};
use super::complaints::{Complaint, Complaints};
use super::topology::Found;
use crate::log::LogError;

/// How long one question may take, and for how long a refusal may be a broker's that is just
/// starting.
const ASK_WITHIN: Duration = Duration::from_secs(1);
const LISTEN: Duration = Duration::from_millis(20);
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// Those of `names` that exist, without their settings. One request, whatever their number.
pub(super) fn topics(
    clients: &Clients,
    names: &BTreeSet<String>,
) -> Result<HashMap<String, Found>, LogError> {
    let mut found = HashMap::new();
    for topic in metadata(clients)?.topics().iter().filter(|topic| names.contains(topic.name())) {
        let replicas = topic.partitions().iter().map(|partition| partition.replicas().len());
        let fewest = replicas.min().unwrap_or_default();
        let shape = Found {
            partitions: u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX),
            replication: u32::try_from(fewest).unwrap_or(u32::MAX),
            settings: Vec::new(),
        };
        // Listed without partitions while it is being made or removed.
        if shape.partitions > 0 {
            found.insert(topic.name().to_owned(), shape);
        }
    }
    Ok(found)
}

fn metadata(clients: &Clients) -> Result<Metadata, LogError> {
    let reached = format!("reach the Kafka brokers at {}", clients.options().bootstrap);
    let complaints = Complaints::default();
    let client: BaseConsumer<Complaints> = clients
        .reader()
        .create_with_context(complaints.clone())
        .map_err(|error| log_error(&reached, &error))?;
    let began = Instant::now();
    loop {
        let error = match client.client().fetch_metadata(None, ASK_WITHIN) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // What the library has to complain of, it tells those who poll.
        let listened = Instant::now();
        while listened.elapsed() < LISTEN {
            let _ = client.poll(LISTEN);
        }
        match complaints.latest() {
            Some(Complaint { lasting: true, words, .. }) if began.elapsed() > REFUSED_FOR => {
                return Err(LogError::Fatal(format!("cannot {reached}: {words}")));
            }
            _ if began.elapsed() < REQUEST_WITHIN => {}
            complaint => {
                let words = complaint.map_or(error.to_string(), |complaint| complaint.words);
                return Err(LogError::Redeliver(format!(
                    "{reached}: {words}; check that they are up, the address and port, that the \
                     security protocol is that port's, and whether it asks for a certificate"
                )));
            }
        }
    }
}
