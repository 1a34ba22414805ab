//! Where a classified turn goes, for `shadow`: the router's own decision, as if the turn were the first
//! of a conversation. So two versions are compared by what they say alone.

use std::sync::Arc;

use pipeline::broadcast::{Broadcasts, PerTenant, Swapped};
use router::begun;
use router::decide::{Decision, decide};
use schemas::line::{Classification, Turn};

use super::shadowed::AUTO;

/// Nobody answers.
const NOBODY: &str = "nobody";

/// The route by the policy in use.
pub fn by(
    policy: Arc<Swapped<PerTenant<router::Settings>>>,
) -> impl Fn(&str, &Turn, &Classification) -> String + Send + Sync {
    let begun = begun();
    move |tenant, turn, classification| {
        let policy = policy.latest();
        match decide(policy.content.of(tenant), tenant, &begun, (turn, true), Some(classification))
        {
            Decision::Auto { .. } => AUTO.to_owned(),
            Decision::Human { queue, .. } => queue,
            Decision::Drop(_) | Decision::Owned => NOBODY.to_owned(),
        }
    }
}
