//! What a CRM or ERP must be able to do for the machine to act.

use std::collections::BTreeMap;

use async_trait::async_trait;
use schemas::message::{ActionResult, Contact, ContactId};

/// What a CRM can be asked, and what it may find then.
pub const ACTIONS: &[(&str, &[&str])] = &[
    ("open_invoice", &["open_invoice", "no_invoice"]),
    (
        "line_check",
        &["line_ok", "line_offline", "district_outage", "line_los", "line_weak", "suspended"],
    ),
    ("trust_unlock", &["unlocked", "unlock_used", "not_suspended"]),
    ("schedule_visit", &["visit_scheduled", "visit_booked"]),
    ("visit_status", &["visit_booked", "no_visit"]),
    ("plan_upgrade", &["upgrade_offer", "biggest_plan"]),
    ("change_plan", &["plan_changed", "upgrade_offer", "biggest_plan"]),
    ("due_date", &["due_dates"]),
    ("change_due_date", &["due_date_changed", "due_dates"]),
];

/// Everything it may find, and the values that come with it.
pub const FINDINGS: &[(&str, &[&str])] = &[
    // Whatever was asked.
    ("identity_required", &[]),
    ("open_invoice", &["valor", "vencimento", "linha_digitavel", "pix"]),
    ("no_invoice", &[]),
    ("line_ok", &["plano"]),
    ("line_offline", &["plano"]),
    ("district_outage", &["plano", "bairro"]),
    ("line_los", &["plano"]),
    ("line_weak", &["plano"]),
    ("suspended", &["plano"]),
    ("unlocked", &["liberado_ate"]),
    ("unlock_used", &["proximo_desbloqueio"]),
    ("not_suspended", &[]),
    ("visit_scheduled", &["visita_dia", "visita_periodo"]),
    ("visit_booked", &["visita_dia", "visita_periodo"]),
    ("no_visit", &[]),
    ("upgrade_offer", &["plano", "mensalidade", "plano_maior", "diferenca"]),
    ("plan_changed", &["plano", "mensalidade"]),
    ("biggest_plan", &["plano", "mensalidade"]),
    ("due_dates", &["vencimento", "outros_dias"]),
    ("due_date_changed", &["vencimento"]),
];

/// What is asked. Holds who the customer is: never logged.
#[derive(Clone)]
pub struct CrmRequest {
    /// Whose customer.
    pub tenant: String,
    /// What: `open_invoice`, `line_check`.
    pub action: String,
    /// Who.
    pub contact: Contact,
    /// The channel or the caller vouches for who it is.
    pub verified: bool,
    /// Who the customer says they are: a CPF or CNPJ, a contract. It is for the CRM to say what that proves.
    pub claims: Vec<ContactId>,
    /// What the customer has chosen of what was offered, where that goes with the action.
    pub choice: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmAnswer {
    /// Who the CRM has confirmed the contact to be, by its own name for the customer. Without it nothing
    /// personal is shown.
    pub customer: Option<String>,
    /// How it ended.
    pub result: ActionResult,
    /// Short code the answers are chosen by.
    pub finding: String,
    /// Values for the answer's placeholders.
    pub fields: BTreeMap<String, String>,
    /// What is known of the customer now, by name: `open_invoice`, `line_down`, `district_incident`.
    /// Absent: not known. It tells the models what to expect of the next message.
    pub facts: BTreeMap<String, bool>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrmError {
    /// Worth another try.
    #[error("the CRM cannot be reached: {0}")]
    Transient(String),
    /// Not worth another try.
    #[error("the CRM refuses: {0}")]
    Permanent(String),
}

/// A CRM or ERP.
#[async_trait]
pub trait Crm: Send + Sync {
    /// Whether `action` may be asked twice without harm.
    fn is_idempotent(&self, action: &str) -> bool;

    /// Asks.
    ///
    /// # Errors
    /// [`CrmError`].
    async fn perform(&self, request: &CrmRequest) -> Result<CrmAnswer, CrmError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_found_is_listed() {
        let listed: Vec<&str> = FINDINGS.iter().map(|(finding, _)| *finding).collect();
        for (action, found) in ACTIONS {
            assert!(!found.is_empty() && found.iter().all(|one| listed.contains(one)), "{action}");
        }
    }
}
