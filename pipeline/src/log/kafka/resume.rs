//! Having paused partitions read again, at once.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

/// How long an answer is waited for that nobody needs.
const ANSWER_WITHIN: Duration = Duration::from_millis(20);

/// Lets the client read `partitions` again.
///
/// Of that by itself the threads that fetch hear nothing: one with nothing else to do sleeps on for up to
/// a second (librdkafka 2.12, `rd_kafka_toppar_pause_resume`). Any request to the leaders wakes them.
pub(super) fn resume<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
) -> Result<(), KafkaError> {
    consumer.resume(partitions)?;
    let mut asked = partitions.clone();
    asked.set_all_offsets(Offset::End)?;
    // With the request on its way they are awake, whatever becomes of it.
    let _ = consumer.offsets_for_times(asked, ANSWER_WITHIN);
    Ok(())
}
