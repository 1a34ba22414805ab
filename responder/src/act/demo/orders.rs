//! What the made-up CRM can be asked to do, not only asked about: unlocking on trust and technicians'
//! visits. It forgets all of it when the process ends.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;
use parking_lot::Mutex;
use pipeline::clock::Clock;
use schemas::message::ActionResult;

use super::{found, scramble};
use crate::act::crm::{CrmAnswer, CrmError};

/// Made-up customers live by Brasília's clock.
const BRASILIA: Offset = Offset::constant(-3);
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Until this hour of the next day an unlocking holds.
const UNLOCKED_UNTIL_HOUR: i8 = 10;

/// An unlocking: when it was made, and until when it holds (Unix, ms).
#[derive(Clone, Copy)]
struct Unlocked {
    at_ms: i64,
    until_ms: i64,
}

/// What was asked for so far.
pub(super) struct Orders {
    clock: Arc<dyn Clock>,
    unlocked: Mutex<HashMap<u64, Unlocked>>,
    visits: Mutex<HashMap<u64, Date>>,
}

#[allow(clippy::needless_pass_by_value)] // the shape `map_err` wants
fn no_date(error: jiff::Error) -> CrmError {
    CrmError::Permanent(format!("no such date: {error}"))
}

fn told(date: Date) -> String {
    format!("{:02}/{:02}", date.day(), date.month())
}

impl Orders {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, unlocked: Mutex::default(), visits: Mutex::default() }
    }

    fn civil(at_ms: i64) -> Result<DateTime, CrmError> {
        Ok(BRASILIA.to_datetime(Timestamp::from_millisecond(at_ms).map_err(no_date)?))
    }

    /// Whether `customer` is online on trust.
    pub(super) fn is_unlocked(&self, customer: u64) -> bool {
        let unlocked = self.unlocked.lock().get(&customer).copied();
        unlocked.is_some_and(|unlocked| self.clock.now_ms() < unlocked.until_ms)
    }

    /// Until 10 h of the next day, and at most once a week.
    pub(super) fn unlock(&self, customer: u64) -> Result<CrmAnswer, CrmError> {
        let now_ms = self.clock.now_ms();
        let mut unlocked = self.unlocked.lock();
        let before = unlocked.get(&customer).copied();
        if let Some(before) = before.filter(|before| now_ms - before.at_ms < WEEK_MS) {
            let again = Self::civil(before.at_ms + WEEK_MS)?;
            let fields = [("proximo_desbloqueio", told(again.date()))];
            return Ok(found(ActionResult::Done, "unlock_used", &fields, &[]));
        }
        let until = Self::civil(now_ms)?.date().tomorrow().map_err(no_date)?;
        let until = until.at(UNLOCKED_UNTIL_HOUR, 0, 0, 0);
        let until_ms = BRASILIA.to_timestamp(until).map_err(no_date)?.as_millisecond();
        unlocked.insert(customer, Unlocked { at_ms: now_ms, until_ms });
        let until = format!("{} às {UNLOCKED_UNTIL_HOUR}h", told(until.date()));
        let facts = [("line_down", false), ("open_invoice", true)];
        Ok(found(ActionResult::Done, "unlocked", &[("liberado_ate", until)], &facts))
    }

    /// The visit a customer has; one of five had one before anybody asked.
    fn visit(&self, customer: u64) -> Result<Option<Date>, CrmError> {
        let today = Self::civil(self.clock.now_ms())?.date();
        let mut visits = self.visits.lock();
        if let Some(date) = visits.get(&customer).filter(|date| **date >= today) {
            return Ok(Some(*date));
        }
        if !customer.is_multiple_of(5) {
            return Ok(None);
        }
        let date = next_workday(today)?;
        visits.insert(customer, date);
        Ok(Some(date))
    }

    fn tell_visit(customer: u64, finding: &str, date: Date) -> CrmAnswer {
        let is_morning = scramble(customer).is_multiple_of(2);
        let part =
            if is_morning { "de manhã, das 8h às 12h" } else { "à tarde, das 13h às 18h" };
        let fields = [("visita_dia", told(date)), ("visita_periodo", part.to_owned())];
        found(ActionResult::Done, finding, &fields, &[])
    }

    /// Books the next visit there is; a customer has one at a time.
    pub(super) fn schedule_visit(&self, customer: u64) -> Result<CrmAnswer, CrmError> {
        if let Some(date) = self.visit(customer)? {
            return Ok(Self::tell_visit(customer, "visit_booked", date));
        }
        let date = next_workday(Self::civil(self.clock.now_ms())?.date())?;
        self.visits.lock().insert(customer, date);
        Ok(Self::tell_visit(customer, "visit_scheduled", date))
    }

    /// Tells when the technician comes.
    pub(super) fn visit_status(&self, customer: u64) -> Result<CrmAnswer, CrmError> {
        Ok(match self.visit(customer)? {
            Some(date) => Self::tell_visit(customer, "visit_booked", date),
            None => found(ActionResult::NotFound, "no_visit", &[], &[]),
        })
    }
}

/// Technicians do not work on Sundays.
fn next_workday(today: Date) -> Result<Date, CrmError> {
    let next = today.tomorrow().map_err(no_date)?;
    if next.weekday() == Weekday::Sunday { next.tomorrow().map_err(no_date) } else { Ok(next) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Set(AtomicI64);

    impl Clock for Set {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn trust_holds_until_ten_and_comes_once_a_week() {
        // 2026-11-28, a Saturday, 15:00 in Brasília.
        let now_ms = 1_795_888_800_000;
        let clock = Arc::new(Set(AtomicI64::new(now_ms)));
        let orders = Orders::new(clock.clone());
        assert!(!orders.is_unlocked(8));
        let answer = orders.unlock(8).unwrap();
        assert_eq!(
            (answer.finding.as_str(), &*answer.fields["liberado_ate"]),
            ("unlocked", "29/11 às 10h")
        );
        let again = orders.unlock(8).unwrap();
        assert_eq!(
            (again.finding.as_str(), &*again.fields["proximo_desbloqueio"]),
            ("unlock_used", "05/12")
        );
        let after = |hours: i64| clock.0.store(now_ms + hours * 3_600_000, Ordering::Relaxed);
        after(18);
        assert!(orders.is_unlocked(8), "nine o'clock of the next day");
        after(20);
        assert!(!orders.is_unlocked(8));
        after(7 * 24);
        assert_eq!(orders.unlock(8).unwrap().finding, "unlocked");
    }

    #[test]
    fn a_visit_is_booked_once_and_never_on_a_sunday() {
        let orders = Orders::new(Arc::new(Set(AtomicI64::new(1_795_888_800_000))));
        assert_eq!(orders.visit_status(7).unwrap().finding, "no_visit");
        let booked = orders.schedule_visit(7).unwrap();
        assert_eq!(
            (booked.finding.as_str(), &*booked.fields["visita_dia"]),
            ("visit_scheduled", "30/11")
        );
        let again = orders.schedule_visit(7).unwrap();
        assert_eq!((again.finding.as_str(), again.fields), ("visit_booked", booked.fields));
        assert_eq!(orders.visit_status(10).unwrap().finding, "visit_booked", "one of five has one");
    }
}
