//! A CRM to try the product with: made-up customers, real waiting and real failures.
//!
//! It knows customers by CRM ids of the form `C<number>` when the caller vouches for them, and by
//! WhatsApp or telephone numbers with an even last digit. What it finds depends only on the number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use schemas::message::{ActionResult, Contact, ContactIdKind};

use super::crm::{Crm, CrmAnswer, CrmError, CrmRequest};

/// The made-up CRM.
#[derive(Debug)]
pub struct DemoCrm {
    /// About half of all answers come within this.
    latency_p50: Duration,
    /// Of a thousand questions so many fail.
    errors_per_mille: u64,
    calls: AtomicU64,
}

impl Default for DemoCrm {
    fn default() -> Self {
        Self::new(Duration::from_millis(80), 20)
    }
}

impl DemoCrm {
    /// A CRM that answers half of all questions within `latency_p50` and fails `errors_per_mille` of
    /// a thousand.
    #[must_use]
    pub fn new(latency_p50: Duration, errors_per_mille: u64) -> Self {
        Self { latency_p50, errors_per_mille, calls: AtomicU64::new(0) }
    }

    /// Half to twice the usual time, and five times as long now and then.
    fn latency(&self, call: u64) -> Duration {
        let roll = scramble(call) % 100;
        let percent = if roll >= 97 { 500 } else { 50 + roll * 150 / 97 };
        self.latency_p50 * u32::try_from(percent).unwrap_or(100) / 100
    }
}

/// Spreads neighbouring numbers (SplitMix64's finalizer, Steele et al. 2014).
fn scramble(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[async_trait]
impl Crm for DemoCrm {
    /// It only looks things up.
    fn is_idempotent(&self, _: &str) -> bool {
        true
    }

    async fn perform(&self, request: &CrmRequest) -> Result<CrmAnswer, CrmError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.latency(call)).await;
        if scramble(call ^ 0xdead) % 1_000 < self.errors_per_mille {
            return Err(CrmError::Transient("connection reset".to_owned()));
        }
        let Some(customer) = customer_number(&request.contact, request.verified) else {
            return Ok(found(ActionResult::IdentityRequired, "identity_required", &[], &[]));
        };
        match request.action.as_str() {
            "open_invoice" => Ok(open_invoice(customer)),
            "line_check" => Ok(line_check(customer)),
            other => Err(CrmError::Permanent(format!("no action '{other}'"))),
        }
    }
}

/// Who the contact is, if the CRM knows.
fn customer_number(contact: &Contact, verified: bool) -> Option<u64> {
    if verified
        && let Some(id) = contact.id(ContactIdKind::Crm)
        && let Some(number) = id.strip_prefix('C')
    {
        return number.parse().ok();
    }
    let phone = contact.id(ContactIdKind::WaPhone).or_else(|| contact.id(ContactIdKind::E164))?;
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.get(digits.len().saturating_sub(6)..)?.parse().ok()?;
    number.is_multiple_of(2).then_some(number / 2)
}

fn found(
    result: ActionResult,
    finding: &str,
    fields: &[(&str, String)],
    facts: &[(&str, bool)],
) -> CrmAnswer {
    CrmAnswer {
        result,
        finding: finding.to_owned(),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
        facts: facts.iter().map(|(name, is_true)| ((*name).to_owned(), *is_true)).collect(),
    }
}

const PLANS: [(&str, u64); 4] =
    [("Fibra 300", 79), ("Fibra 500", 99), ("Fibra 700", 119), ("Fibra 1 Giga", 149)];

fn plan(customer: u64) -> (&'static str, u64) {
    let at = usize::try_from(customer % PLANS.len() as u64).unwrap_or_default();
    PLANS.get(at).copied().unwrap_or(("Fibra 300", 79))
}

/// Three of four customers owe this month's invoice.
fn open_invoice(customer: u64) -> CrmAnswer {
    if customer.is_multiple_of(4) {
        let facts = [("open_invoice", false)];
        return found(ActionResult::NotFound, "no_invoice", &[], &facts);
    }
    let (_, reais) = plan(customer);
    let code = scramble(customer);
    let due_day = 5 + customer % 4 * 5;
    let line = format!(
        "00190.00009 {:05}.{:06} {:05}.{:06} 1 00000000{:02}9000",
        code % 100_000,
        code / 7 % 1_000_000,
        code / 11 % 100_000,
        code / 13 % 1_000_000,
        reais
    );
    found(
        ActionResult::Done,
        "open_invoice",
        &[
            ("valor", format!("R$ {reais},90")),
            ("vencimento", format!("dia {due_day:02}")),
            ("linha_digitavel", line),
            (
                "pix",
                format!(
                    "00020126580014br.gov.bcb.pix0136{code:016x}-demo5204000053039865405{reais}.905802BR"
                ),
            ),
        ],
        &[("open_invoice", true)],
    )
}

/// Of ten lines, six are fine.
fn line_check(customer: u64) -> CrmAnswer {
    let (name, _) = plan(customer);
    let finding = match customer % 10 {
        5 => "line_offline",
        6 => "line_los",
        7 => "line_weak",
        8 => "suspended",
        _ => "line_ok",
    };
    let is_down = matches!(finding, "line_offline" | "line_los" | "suspended");
    let mut facts = vec![("line_down", is_down)];
    if finding == "line_offline" {
        facts.push(("district_incident", customer % 20 == 5));
    }
    found(ActionResult::Done, finding, &[("plano", name.to_owned())], &facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::message::ContactId;

    fn contact(kind: ContactIdKind, value: &str) -> Contact {
        Contact { ids: vec![ContactId { kind, value: value.to_owned(), scope: None }], name: None }
    }

    #[test]
    fn knows_only_whom_somebody_vouches_for() {
        let crm = contact(ContactIdKind::Crm, "C7");
        assert_eq!(customer_number(&crm, true), Some(7));
        assert_eq!(customer_number(&crm, false), None, "anybody can claim to be C7");
        assert_eq!(customer_number(&contact(ContactIdKind::Crm, "X"), true), None);
        let phone = contact(ContactIdKind::WaPhone, "+5511987654322");
        assert_eq!(customer_number(&phone, false), Some(327_161));
        assert_eq!(customer_number(&contact(ContactIdKind::WebChat, "s_1"), false), None);
    }

    #[tokio::test]
    async fn takes_time_fails_sometimes_and_finds_the_same_each_time() {
        let crm = DemoCrm::new(Duration::from_micros(50), 200);
        let request = CrmRequest {
            tenant: "demo".to_owned(),
            action: "line_check".to_owned(),
            contact: contact(ContactIdKind::Crm, "C6"),
            verified: true,
        };
        let (mut answers, mut errors) = (Vec::new(), 0);
        for _ in 0..100 {
            match crm.perform(&request).await {
                Ok(answer) => answers.push(answer),
                Err(CrmError::Transient(_)) => errors += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!((5..50).contains(&errors), "{errors}");
        assert!(answers.iter().all(|answer| answer.finding == "line_los"));
    }
}
