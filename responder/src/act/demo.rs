//! A CRM to try the product with: made-up customers, real waiting and real failures.
//!
//! It knows customers by CRM ids of the form `C<number>` when the caller vouches for them, and by
//! WhatsApp or telephone numbers with an even last digit, where the contact goes by the number itself: one that
//! somebody wrote into an address book proves nothing. Others tell the holder's CPF and the contract: contract `n`
//! is customer `n`'s, whose CPF begins with `n` in nine digits (000.000.006-04, contract 6). What it finds
//! depends on the number, on which districts are down (`districts.rs`), and on what it was asked to do
//! (`contracts.rs`, `orders.rs`).

mod contracts;
mod districts;
mod orders;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::clock::Clock;
use schemas::message::{ActionResult, Contact, ContactId, ContactIdKind};

use self::contracts::{Contracts, Plan, first_due_day, first_plan};
pub use self::districts::Districts;
use self::orders::Orders;
use super::crm::{Crm, CrmAnswer, CrmError, CrmRequest};

/// The made-up CRM.
pub struct DemoCrm {
    /// About half of all answers come within this.
    latency_p50: Duration,
    /// Of a thousand questions so many fail.
    errors_per_mille: u64,
    calls: AtomicU64,
    clock: Arc<dyn Clock>,
    /// By tenant: customers of two providers may have the same number.
    tenants: Mutex<HashMap<String, Arc<Tenant>>>,
    districts: Arc<Districts>,
}

/// What one provider's customers have and have asked for.
struct Tenant {
    contracts: Contracts,
    orders: Orders,
}

impl DemoCrm {
    /// A CRM that answers half of all questions within `latency_p50` and fails `errors_per_mille` of
    /// a thousand. By `clock` it tells how long what it grants holds.
    #[must_use]
    pub fn new(latency_p50: Duration, errors_per_mille: u64, clock: Arc<dyn Clock>) -> Self {
        let (calls, tenants) = (AtomicU64::new(0), Mutex::default());
        let districts = Arc::default();
        Self { latency_p50, errors_per_mille, calls, clock, tenants, districts }
    }

    /// The same, of a city whose `districts` somebody else cuts off and mends.
    #[must_use]
    pub fn in_city(self, districts: Arc<Districts>) -> Self {
        Self { districts, ..self }
    }

    fn tenant(&self, name: &str) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock();
        let own = tenants.entry(name.to_owned()).or_insert_with(|| {
            let orders = Orders::new(Arc::clone(&self.clock));
            Arc::new(Tenant { contracts: Contracts::default(), orders })
        });
        Arc::clone(own)
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
    /// Looking things up is; unlocking, booking and changing a contract are not.
    fn is_idempotent(&self, action: &str) -> bool {
        !matches!(action, "trust_unlock" | "schedule_visit" | "change_plan" | "change_due_date")
    }

    async fn perform(&self, request: &CrmRequest) -> Result<CrmAnswer, CrmError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.latency(call)).await;
        if scramble(call ^ 0xdead) % 1_000 < self.errors_per_mille {
            return Err(CrmError::Transient("connection reset".to_owned()));
        }
        let known = customer_number(&request.contact, request.verified);
        let Some(customer) = known.or_else(|| holder(&request.claims)) else {
            return Ok(found(ActionResult::IdentityRequired, "identity_required", &[], &[]));
        };
        let tenant = self.tenant(&request.tenant);
        let Tenant { contracts, orders } = tenant.as_ref();
        let answer = match request.action.as_str() {
            "open_invoice" => open_invoice(customer),
            "line_check" => {
                let outage = self.districts.outage_of(customer);
                line_check(customer, contracts.plan(customer), orders.is_unlocked(customer), outage)
            }
            "trust_unlock" if is_suspended(customer) => orders.unlock(customer)?,
            "trust_unlock" => found(ActionResult::NotFound, "not_suspended", &[], &[]),
            "schedule_visit" => orders.schedule_visit(customer)?,
            "visit_status" => orders.visit_status(customer)?,
            "plan_upgrade" => contracts.offer_plan(customer),
            "change_plan" => contracts.change_plan(customer),
            "due_date" => contracts.due_dates(customer),
            "change_due_date" => contracts.change_due_date(customer, request.choice.as_deref())?,
            other => return Err(CrmError::Permanent(format!("no action '{other}'"))),
        };
        Ok(CrmAnswer { customer: Some(format!("C{customer}")), ..answer })
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
    let goes_by = contact.ids.first().map(|id| id.kind);
    let number = contact.id(ContactIdKind::E164);
    let number = number.filter(|_| verified || goes_by == Some(ContactIdKind::E164));
    let phone = contact.id(ContactIdKind::WaPhone).or(number)?;
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.get(digits.len().saturating_sub(6)..)?.parse().ok()?;
    number.is_multiple_of(2).then_some(number / 2)
}

/// Whose contract it is, if the CPF is its holder's: one of the two alone is easily known.
fn holder(claims: &[ContactId]) -> Option<u64> {
    let told = |kind| claims.iter().find(|id| id.kind == kind).map(|id| id.value.as_str());
    let contract: u64 = told(ContactIdKind::Contract)?.parse().ok()?;
    let document: u64 = told(ContactIdKind::Document)?.get(..9)?.parse().ok()?;
    (contract == document).then_some(contract)
}

fn found(
    result: ActionResult,
    finding: &str,
    fields: &[(&str, String)],
    facts: &[(&str, bool)],
) -> CrmAnswer {
    CrmAnswer {
        customer: None,
        result,
        finding: finding.to_owned(),
        fields: fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
        facts: facts.iter().map(|(name, is_true)| ((*name).to_owned(), *is_true)).collect(),
    }
}

fn is_suspended(customer: u64) -> bool {
    customer % 10 == 8
}

/// Three of four customers owe this month's invoice.
fn open_invoice(customer: u64) -> CrmAnswer {
    if customer.is_multiple_of(4) {
        let facts = [("open_invoice", false)];
        return found(ActionResult::NotFound, "no_invoice", &[], &facts);
    }
    let ((_, reais), due_day) = (first_plan(customer), first_due_day(customer));
    let code = scramble(customer);
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
fn line_check(
    customer: u64,
    (name, _): Plan,
    is_unlocked: bool,
    outage: Option<&'static str>,
) -> CrmAnswer {
    let finding = match customer % 10 {
        _ if outage.is_some() => "district_outage",
        5 if customer % 20 != 5 => "line_offline",
        6 => "line_los",
        7 => "line_weak",
        8 if !is_unlocked => "suspended",
        _ => "line_ok",
    };
    let is_down = matches!(finding, "district_outage" | "line_offline" | "line_los" | "suspended");
    let mut facts = vec![("line_down", is_down)];
    let mut fields = vec![("plano", name.to_owned())];
    if let Some(district) = outage {
        facts.push(("district_incident", true));
        fields.push(("bairro", district.to_owned()));
    } else if finding == "line_offline" {
        facts.push(("district_incident", false));
    }
    found(ActionResult::Done, finding, &fields, &facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::clock::SystemClock;
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

    #[test]
    fn a_number_in_an_address_book_is_nobodys_proof() {
        let mut written = contact(ContactIdKind::Other, "1/9");
        written.ids.extend(contact(ContactIdKind::E164, "+5511987654322").ids);
        assert_eq!(customer_number(&written, false), None);
        assert_eq!(customer_number(&written, true), Some(327_161), "somebody vouches");
        let sms = contact(ContactIdKind::E164, "+5511987654322");
        assert_eq!(customer_number(&sms, false), Some(327_161), "they write from it");
    }

    #[tokio::test]
    async fn no_action_tells_anything_to_a_contact_nobody_vouches_for() {
        let crm = DemoCrm::new(Duration::ZERO, 0, Arc::new(SystemClock));
        let actions = [
            "open_invoice",
            "line_check",
            "trust_unlock",
            "schedule_visit",
            "visit_status",
            "plan_upgrade",
            "change_plan",
            "due_date",
            "change_due_date",
        ];
        for action in actions {
            for customer in 1..=20 {
                let request = |verified| CrmRequest {
                    tenant: "demo".to_owned(),
                    action: action.to_owned(),
                    contact: contact(ContactIdKind::Crm, &format!("C{customer}")),
                    verified,
                    claims: Vec::new(),
                    choice: Some("10".to_owned()),
                };
                let answer = crm.perform(&request(false)).await.unwrap();
                assert_eq!(
                    answer,
                    found(ActionResult::IdentityRequired, "identity_required", &[], &[])
                );
                let answer = crm.perform(&request(true)).await.unwrap();
                assert_eq!(answer.customer, Some(format!("C{customer}")), "{action}");
                assert_ne!(answer.result, ActionResult::IdentityRequired);
            }
        }
    }

    #[test]
    fn a_document_alone_and_a_contract_alone_prove_nothing() {
        let claims = |document: &str, contract: &str| {
            let mut ids = contact(ContactIdKind::Document, document).ids;
            ids.extend(contact(ContactIdKind::Contract, contract).ids);
            ids
        };
        assert_eq!(holder(&claims("00000000604", "6")), Some(6));
        assert_eq!(holder(&claims("00000000604", "7")), None);
        assert_eq!(holder(&claims("00000000604", "6")[..1]), None);
        assert_eq!(holder(&claims("00000000604", "6")[1..]), None);
    }

    #[tokio::test]
    async fn what_one_providers_customer_asked_for_is_not_the_others() {
        let crm = DemoCrm::new(Duration::ZERO, 0, Arc::new(SystemClock));
        let unlock = async |tenant: &str| {
            let request = CrmRequest {
                tenant: tenant.to_owned(),
                action: "trust_unlock".to_owned(),
                contact: contact(ContactIdKind::WaPhone, "+5511987000016"),
                verified: false,
                claims: Vec::new(),
                choice: None,
            };
            crm.perform(&request).await.unwrap().finding
        };
        assert_eq!(
            (unlock("a").await, unlock("a").await),
            ("unlocked".into(), "unlock_used".into())
        );
        assert_eq!(unlock("b").await, "unlocked");
    }

    #[tokio::test]
    async fn takes_time_fails_sometimes_and_finds_the_same_each_time() {
        let crm = DemoCrm::new(Duration::from_micros(50), 200, Arc::new(SystemClock));
        let request = CrmRequest {
            tenant: "demo".to_owned(),
            action: "line_check".to_owned(),
            contact: contact(ContactIdKind::Crm, "C6"),
            verified: true,
            claims: Vec::new(),
            choice: None,
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
