//! What customers of the made-up CRM have: a plan and a day their invoice is due, and what they may have
//! instead. It forgets what was changed when the process ends.

use std::collections::HashMap;

use parking_lot::Mutex;
use schemas::message::ActionResult::Done;

use super::found;
use crate::act::crm::{CrmAnswer, CrmError};

/// Names and monthly prices, in whole reais.
const PLANS: [(&str, u64); 4] =
    [("Fibra 300", 79), ("Fibra 500", 99), ("Fibra 700", 119), ("Fibra 1 Giga", 149)];
/// Days of the month an invoice may be due.
const DUE_DAYS: [u64; 5] = [5, 10, 15, 20, 25];

/// A plan: its name, and what it costs a month, in whole reais.
pub(super) type Plan = (&'static str, u64);

/// What was offered and changed so far.
#[derive(Default)]
pub(super) struct Contracts {
    plans: Mutex<HashMap<u64, Changed>>,
    due_days: Mutex<HashMap<u64, u64>>,
}

/// A customer's plan where somebody asked for another.
#[derive(Clone, Copy)]
struct Changed {
    /// Theirs now.
    plan: Plan,
    /// Theirs if they agree.
    offered: Option<Plan>,
    /// They have agreed once.
    agreed: bool,
}

fn price((_, reais): Plan) -> String {
    format!("R$ {reais},90")
}

fn told(day: u64) -> String {
    format!("dia {day:02}")
}

/// What the customer began with, and what the invoice that is out was made of: changes come with the next.
pub(super) fn first_plan(customer: u64) -> Plan {
    let at = usize::try_from(customer % PLANS.len() as u64).unwrap_or_default();
    PLANS.get(at).copied().unwrap_or(("Fibra 300", 79))
}

/// When that invoice is due.
pub(super) fn first_due_day(customer: u64) -> u64 {
    5 + customer % 4 * 5
}

impl Contracts {
    fn of(&self, customer: u64) -> Changed {
        let known = self.plans.lock().get(&customer).copied();
        known.unwrap_or(Changed { plan: first_plan(customer), offered: None, agreed: false })
    }

    pub(super) fn plan(&self, customer: u64) -> Plan {
        self.of(customer).plan
    }

    fn due_day(&self, customer: u64) -> u64 {
        self.due_days.lock().get(&customer).copied().unwrap_or(first_due_day(customer))
    }

    /// What the customer has, and the next bigger plan: from then on they may agree to it.
    pub(super) fn offer_plan(&self, customer: u64) -> CrmAnswer {
        let known = self.of(customer);
        let mut fields =
            vec![("plano", known.plan.0.to_owned()), ("mensalidade", price(known.plan))];
        let bigger = PLANS.into_iter().find(|(_, reais)| *reais > known.plan.1);
        self.plans.lock().insert(customer, Changed { offered: bigger, ..known });
        let Some((name, reais)) = bigger else {
            return found(Done, "biggest_plan", &fields, &[]);
        };
        fields.push(("plano_maior", name.to_owned()));
        fields.push(("diferenca", format!("R$ {},00", reais - known.plan.1)));
        found(Done, "upgrade_offer", &fields, &[])
    }

    /// Gives the plan that was offered. Agreeing again to the same offer changes nothing more; where none was
    /// made, one is.
    pub(super) fn change_plan(&self, customer: u64) -> CrmAnswer {
        let known = self.of(customer);
        let plan = match known.offered {
            Some(offered) => offered,
            None if known.agreed => known.plan,
            None => return self.offer_plan(customer),
        };
        self.plans.lock().insert(customer, Changed { plan, offered: None, agreed: true });
        let fields = [("plano", plan.0.to_owned()), ("mensalidade", price(plan))];
        found(Done, "plan_changed", &fields, &[])
    }

    /// When the invoice is due, and when it could be instead.
    pub(super) fn due_dates(&self, customer: u64) -> CrmAnswer {
        let day = self.due_day(customer);
        let others = DUE_DAYS.into_iter().filter(|other| *other != day);
        let others: Vec<String> = others.map(|other| format!("{other:02}")).collect();
        let fields = [("vencimento", told(day)), ("outros_dias", others.join(", "))];
        found(Done, "due_dates", &fields, &[])
    }

    /// Makes the invoice due on the day chosen.
    pub(super) fn change_due_date(
        &self,
        customer: u64,
        choice: Option<&str>,
    ) -> Result<CrmAnswer, CrmError> {
        let day = choice.and_then(|day| day.parse().ok()).filter(|day| DUE_DAYS.contains(day));
        let day = day.ok_or_else(|| CrmError::Permanent("no such due day".to_owned()))?;
        self.due_days.lock().insert(customer, day);
        Ok(found(Done, "due_date_changed", &[("vencimento", told(day))], &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: &CrmAnswer, field: &str) -> (String, String) {
        (answer.finding.clone(), answer.fields[field].clone())
    }

    #[test]
    fn who_agrees_has_what_was_offered_once() {
        let contracts = Contracts::default();
        assert_eq!(contracts.change_plan(4).finding, "upgrade_offer", "nothing was offered yet");
        let yes = || said(&contracts.change_plan(4), "plano");
        let fibra_500 = ("plan_changed".to_owned(), "Fibra 500".to_owned());
        assert_eq!((yes(), yes()), (fibra_500.clone(), fibra_500), "one offer, one step");
        assert_eq!(said(&contracts.offer_plan(4), "plano_maior").1, "Fibra 700");
        assert_eq!(contracts.plan(4).0, "Fibra 500", "an offer changes nothing");
        assert_eq!(contracts.offer_plan(3).finding, "biggest_plan");
        assert_eq!(
            contracts.change_plan(3).finding,
            "biggest_plan",
            "there is nothing to agree to"
        );
    }

    #[test]
    fn an_invoice_is_due_when_the_customer_chose() {
        let contracts = Contracts::default();
        assert_eq!(said(&contracts.due_dates(6), "vencimento").1, "dia 15");
        for wrong in [None, Some("11"), Some("")] {
            assert!(matches!(contracts.change_due_date(6, wrong), Err(CrmError::Permanent(_))));
        }
        let changed = contracts.change_due_date(6, Some("10")).unwrap();
        assert_eq!(said(&changed, "vencimento").1, "dia 10");
        assert_eq!(said(&contracts.due_dates(6), "outros_dias").1, "05, 15, 20, 25");
    }
}
