//! The `act` effect: asks the CRM or the network what the router wants to know.
//!
//! Reads `actions`; writes outcomes to `inbound`. Invariants: an action that is not idempotent is
//! begun once, by the ledger; one whose end nobody knows is told as uncertain and never repeated;
//! nothing is asked that nobody waits for any more; what a CRM tells of a customer goes no further unless it
//! says which of its customers the contact was confirmed to be.

mod crm;
mod demo;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::clock::Clock;
use pipeline::ledger::{OnceKey, OnceLedger};
use pipeline::{Effect, Envelope, Outcome};
use schemas::ids::{ContactKey, LineKey};
use schemas::line::InboundBody;
use schemas::message::{ActionOutcome, ActionResult};
use schemas::sealed::{Keyring, TenantKeys};
use schemas::work::ActionRequest;
use serde::{Deserialize, Serialize};

pub use crm::{ACTIONS, Crm, CrmAnswer, CrmError, CrmRequest, FINDINGS};
pub use demo::{DemoCrm, Districts};

use crate::once::once;
use crate::outcome::told;

/// Pause before a CRM that failed is asked again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The effect.
pub struct Act {
    crm: Arc<dyn Crm>,
    ledger: Arc<dyn OnceLedger>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

/// How an action ended, as the ledger remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ended {
    result: ActionResult,
    finding: String,
    fields: BTreeMap<String, String>,
    #[serde(default)]
    facts: BTreeMap<String, bool>,
    #[serde(default)]
    customer: Option<ContactKey>,
}

impl Ended {
    fn without_fields(result: ActionResult, finding: &str) -> Self {
        let (fields, facts) = (BTreeMap::new(), BTreeMap::new());
        Self { result, finding: finding.to_owned(), fields, facts, customer: None }
    }

    /// What the CRM answered, as far as it may be shown to whoever asked.
    fn of(answer: CrmAnswer, keys: &TenantKeys) -> Self {
        let CrmAnswer { customer, result, finding, fields, facts } = answer;
        let customer = customer.filter(|id| !id.is_empty()).map(|id| keys.customer(&id));
        if customer.is_none() {
            return match result {
                ActionResult::Failed | ActionResult::Uncertain => {
                    Self::without_fields(result, &finding)
                }
                _ => Self::without_fields(ActionResult::IdentityRequired, "identity_required"),
            };
        }
        Self { result, finding, fields, facts, customer }
    }
}

impl Act {
    /// Asks `crm`.
    #[must_use]
    pub fn new(
        crm: Arc<dyn Crm>,
        ledger: Arc<dyn OnceLedger>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { crm, ledger, keyring, clock }
    }

    async fn one(&self, input: &Envelope<ActionRequest>) -> Outcome {
        let request = &input.body;
        let Some(key) = LineKey::parse(&input.key) else {
            return Outcome::Reject("the key is not tenant:contact".to_owned());
        };
        let ended = match self.ask(&key.tenant, request).await {
            Ok(ended) => ended,
            Err(outcome) => return outcome,
        };
        self.tell(&key.tenant, input, ended)
    }

    /// Asks the CRM, guarded by the ledger where asking twice would do harm.
    async fn ask(&self, tenant: &str, request: &ActionRequest) -> Result<Ended, Outcome> {
        let keys = self.keyring.of(tenant).map_err(|error| Outcome::Reject(error.to_string()))?;
        let contact = keys
            .open_contact(&request.contact_sealed)
            .map_err(|error| Outcome::Reject(error.to_string()))?;
        let claims = request.claims_sealed.as_ref().map(|sealed| keys.open_contact(sealed));
        let claims = claims.transpose().map_err(|error| Outcome::Reject(error.to_string()))?;
        let asked = CrmRequest {
            tenant: tenant.to_owned(),
            action: request.action.clone(),
            contact,
            verified: request.verified,
            claims: claims.map(|claims| claims.ids).unwrap_or_default(),
            choice: request.choice.clone(),
        };
        let try_now = || async {
            if self.clock.now_ms() >= request.expires_at_ms {
                return Ok(Ended::without_fields(ActionResult::Failed, "expired"));
            }
            self.perform(&asked, keys).await
        };
        if self.crm.is_idempotent(&asked.action) {
            return try_now().await;
        }
        // The ledger first, the clock after it: what has been done is not told as expired.
        let key =
            OnceKey(format!("{}/{}/act/{}", request.conversation_id, request.turn, asked.action));
        let uncertain = || Ended::without_fields(ActionResult::Uncertain, "uncertain");
        // Begun is begun: whatever goes wrong from then on is not tried again.
        let attempt = async { Ok(try_now().await.unwrap_or_else(|_| uncertain())) };
        once(self.ledger.as_ref(), &key, uncertain(), attempt).await
    }

    async fn perform(&self, asked: &CrmRequest, keys: &TenantKeys) -> Result<Ended, Outcome> {
        match self.crm.perform(asked).await {
            Ok(answer) => Ok(Ended::of(answer, keys)),
            Err(CrmError::Transient(why)) => Err(Outcome::Retry { after: RETRY_AFTER, why }),
            Err(CrmError::Permanent(why)) => {
                tracing::warn!(action = asked.action, why, "the CRM refused");
                Ok(Ended::without_fields(ActionResult::Failed, "refused"))
            }
        }
    }

    fn tell(&self, tenant: &str, input: &Envelope<ActionRequest>, ended: Ended) -> Outcome {
        let request = &input.body;
        let identity = format!("{}/{}/{}", request.conversation_id, request.turn, request.action);
        let fields_sealed = if ended.fields.is_empty() {
            None
        } else {
            let plain = serde_json::to_vec(&ended.fields).unwrap_or_default();
            match self.keyring.of(tenant).and_then(|keys| keys.seal(identity.as_bytes(), &plain)) {
                Ok(sealed) => Some(sealed),
                Err(error) => return Outcome::Reject(error.to_string()),
            }
        };
        let outcome = ActionOutcome {
            conversation_id: request.conversation_id,
            turn: request.turn,
            action: request.action.clone(),
            result: ended.result,
            finding: ended.finding,
            fields_sealed,
            facts: ended.facts,
            customer: ended.customer,
        };
        told(&input.key, InboundBody::ActionOutcome(outcome), self.clock.now_ms())
    }
}

#[async_trait]
impl Effect for Act {
    const NAME: &'static str = "act";
    type In = ActionRequest;

    async fn apply(&self, inputs: &[Envelope<ActionRequest>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(inputs.len());
        for input in inputs {
            outcomes.push(self.one(input).await);
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_nobody_in_particular_goes_no_further() {
        use ActionResult::{Done, Failed, IdentityRequired, NotFound, Uncertain};
        let keys = TenantKeys::derive("demo", "1", &[7; 32]);
        let answer = |customer: Option<&str>, result| CrmAnswer {
            customer: customer.map(str::to_owned),
            result,
            finding: "open_invoice".to_owned(),
            fields: BTreeMap::from([("pix".to_owned(), "00020126".to_owned())]),
            facts: BTreeMap::from([("open_invoice".to_owned(), true)]),
        };
        let shown = Ended::of(answer(Some("C7"), Done), &keys);
        assert_eq!((shown.fields.len(), shown.customer), (1, Some(keys.customer("C7"))));
        for (result, told) in [
            (Done, IdentityRequired),
            (NotFound, IdentityRequired),
            (IdentityRequired, IdentityRequired),
            (Failed, Failed),
            // It may have happened: nobody is to be told that it has not.
            (Uncertain, Uncertain),
        ] {
            for customer in [None, Some("")] {
                let ended = Ended::of(answer(customer, result), &keys);
                assert_eq!(ended.result, told);
                assert!(ended.fields.is_empty() && ended.facts.is_empty());
                assert_eq!(ended.customer, None);
            }
        }
    }
}
