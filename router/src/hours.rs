//! When a tenant's people work: several intervals a day, and holidays, in the tenant's own time. Pure
//! arithmetic: moments are those of records.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Nobody is away for longer: past it, hours are taken for a mistake.
const AWAY_DAYS_MAX: i64 = 400;

/// A week, and the days that are not like it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // the names are the documentation
pub struct Hours {
    pub monday: Vec<Interval>,
    pub tuesday: Vec<Interval>,
    pub wednesday: Vec<Interval>,
    pub thursday: Vec<Interval>,
    pub friday: Vec<Interval>,
    pub saturday: Vec<Interval>,
    pub sunday: Vec<Interval>,
    /// On these days nobody works.
    pub holidays: BTreeSet<Day>,
}

/// A part of a day, written `08:00-12:00`; `24:00` is the day's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval {
    from_minute: i64,
    to_minute: i64,
}

/// A day, written `2026-12-25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

impl TryFrom<String> for Interval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let minute = |clock: &str| match clock.trim() {
            "24:00" => Some(24 * 60),
            clock => {
                let time: Time = clock.parse().ok()?;
                Some(i64::from(time.hour()) * 60 + i64::from(time.minute()))
            }
        };
        text.split_once('-')
            .and_then(|(from, to)| {
                Some(Self { from_minute: minute(from)?, to_minute: minute(to)? })
            })
            .filter(|interval| interval.from_minute < interval.to_minute)
            .ok_or_else(|| format!("'{text}' is not like \"08:00-12:00\""))
    }
}

impl From<Interval> for String {
    fn from(Interval { from_minute, to_minute }: Interval) -> Self {
        let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{}-{}", clock(from_minute), clock(to_minute))
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("'{text}' is not like \"2026-12-25\""))
    }
}

impl From<Day> for String {
    fn from(Day(date): Day) -> Self {
        date.to_string()
    }
}

impl Hours {
    fn week(&self) -> [&Vec<Interval>; 7] {
        let Self { monday, tuesday, wednesday, thursday, friday, saturday, sunday, .. } = self;
        [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
    }

    /// What makes no sense.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = &'static str> {
        let apart = |day: &Vec<Interval>| {
            day.windows(2).all(|pair| match pair {
                [one, next] => one.to_minute <= next.from_minute,
                _ => true,
            })
        };
        let never = self.week().iter().all(|day| day.is_empty());
        let mixed = !self.week().into_iter().all(apart);
        [
            (never, "nobody ever works; leave the table out if they always do"),
            (mixed, "the intervals of a day must follow each other"),
        ]
        .into_iter()
        .filter_map(|(is, wrong)| is.then_some(wrong))
    }

    /// The intervals of the day that is `day` days after 1970-01-01.
    fn on(&self, day: i64) -> &[Interval] {
        let days = i32::try_from(day).ok().map(|day| jiff::Span::new().days(day));
        let date = days.and_then(|days| Date::constant(1970, 1, 1).checked_add(days).ok());
        let Some(date) = date.filter(|date| !self.holidays.contains(&Day(*date))) else {
            return &[];
        };
        match date.weekday() {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        }
    }

    /// What is worked from `from_ms` on: beginnings and ends (Unix, ms).
    fn spans(&self, utc_offset_minutes: i32, from_ms: i64) -> impl Iterator<Item = (i64, i64)> {
        let offset_ms = i64::from(utc_offset_minutes) * 60_000;
        let today = (from_ms + offset_ms).div_euclid(DAY_MS);
        (today..=today + AWAY_DAYS_MAX).flat_map(move |day| {
            let at_ms = move |minute: i64| day * DAY_MS - offset_ms + minute * 60_000;
            self.on(day).iter().filter_map(move |interval| {
                let (begins, ends) = (at_ms(interval.from_minute), at_ms(interval.to_minute));
                (ends > from_ms).then_some((begins.max(from_ms), ends))
            })
        })
    }

    /// The moment at which `ms` have been worked since `from_ms`. What is overdue stays overdue.
    pub(crate) fn after(&self, utc_offset_minutes: i32, from_ms: i64, ms: i64) -> i64 {
        let mut left_ms = ms;
        if left_ms <= 0 {
            return from_ms + ms;
        }
        for (begins, ends) in self.spans(utc_offset_minutes, from_ms) {
            if left_ms <= ends - begins {
                return begins + left_ms;
            }
            left_ms -= ends - begins;
        }
        from_ms + ms
    }

    /// How long is worked between two moments.
    pub(crate) fn between(&self, utc_offset_minutes: i32, from_ms: i64, to_ms: i64) -> i64 {
        if to_ms <= from_ms {
            return to_ms - from_ms;
        }
        self.spans(utc_offset_minutes, from_ms)
            .take_while(|(begins, _)| *begins < to_ms)
            .map(|(begins, ends)| ends.min(to_ms) - begins)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 60 * 60 * 1000;
    const BRASILIA: i32 = -180;

    fn hours() -> Hours {
        toml::from_str(
            r#"
            wednesday = ["08:00-12:00", "13:00-18:00"]
            thursday = ["08:00-12:00", "13:00-18:00"]
            friday = ["08:00-12:00"]
            holidays = ["2026-12-24", "2026-12-25"]
            "#,
        )
        .unwrap()
    }

    /// Of a clock in Brasília.
    fn at(civil: &str) -> i64 {
        let civil: jiff::civil::DateTime = civil.parse().unwrap();
        let offset = jiff::tz::Offset::from_hours(-3).unwrap();
        offset.to_timestamp(civil).unwrap().as_millisecond()
    }

    #[test]
    fn lunch_evenings_weekends_and_holidays_do_not_count() {
        for (from, worked_h, until) in [
            ("2026-12-02T09:00", 1, "2026-12-02T10:00"),
            ("2026-12-02T11:00", 1, "2026-12-02T12:00"),
            ("2026-12-02T11:00", 2, "2026-12-02T14:00"),
            ("2026-12-02T12:30", 1, "2026-12-02T14:00"),
            ("2026-12-02T17:00", 2, "2026-12-03T09:00"),
            ("2026-12-04T11:00", 2, "2026-12-09T09:00"),
            ("2026-12-23T17:00", 2, "2026-12-30T09:00"),
        ] {
            let ms = worked_h * HOUR_MS;
            assert_eq!(hours().after(BRASILIA, at(from), ms), at(until), "{from}");
            assert_eq!(hours().between(BRASILIA, at(from), at(until)), ms, "{from}");
        }
        let overdue = at("2026-12-02T09:00");
        assert_eq!(hours().after(BRASILIA, overdue, -HOUR_MS), overdue - HOUR_MS);
        assert_eq!(hours().between(BRASILIA, overdue, overdue - HOUR_MS), -HOUR_MS);
    }

    #[test]
    fn mistakes_are_told_and_what_is_written_reads_back() {
        let wrong = |text: &str| toml::from_str::<Hours>(text).unwrap_err().to_string();
        assert!(wrong(r#"monday = ["8h-12h"]"#).contains("08:00-12:00"));
        assert!(wrong(r#"monday = ["12:00-08:00"]"#).contains("08:00-12:00"));
        assert!(wrong(r#"holidays = ["25/12/2026"]"#).contains("2026-12-25"));
        let mixed: Hours = toml::from_str(r#"monday = ["08:00-12:00", "11:00-24:00"]"#).unwrap();
        assert_eq!(mixed.mistakes().count(), 1);
        assert_eq!(Hours::default().mistakes().count(), 1, "nobody ever works");
        let again: Hours = toml::from_str(&toml::to_string(&hours()).unwrap()).unwrap();
        assert_eq!((again, hours().mistakes().count()), (hours(), 0));
    }
}
