//! How long a customer in a queue will probably wait: a range, from how fast people have been taking
//! conversations out of that very queue.
//!
//! `n` were taken in the last hour, one every `60 min / n`; the customer at position `p` waits for `p` of
//! them: `p · 60 min / n` on average. Both counts vary as counts of independent events do, by a factor of
//! about `e^√(1/n + 1/p)` together; the range is what about eight of ten such waits fall into. Where people had nothing
//! to take they could have been faster than that: the range errs on the long side.

use ingest::door::Wait;

/// Minutes of the past it is made from.
pub(super) const MINUTES: i64 = 60;
/// From fewer conversations taken nothing can be said.
const TAKEN_MIN: i64 = 3;
/// How many standard deviations eight of ten are within.
const EIGHT_OF_TEN: f64 = 1.28;
/// Beyond this it is no estimate any more.
const WAIT_S_MAX: f64 = 4.0 * 3600.0;

/// The wait of who is at `position`, from 1, where `taken` left the queue in the last [`MINUTES`].
pub(super) fn wait(position: u64, taken: i64) -> Option<Wait> {
    if taken < TAKEN_MIN || position == 0 {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // counts of people
    let (n, p) = (taken as f64, position as f64);
    #[allow(clippy::cast_precision_loss)]
    let mean_s = p * (MINUTES * 60) as f64 / n;
    let wider = (EIGHT_OF_TEN * (1.0 / n + 1.0 / p).sqrt()).exp();
    let (least, most) = (mean_s / wider, mean_s * wider);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within four hours
    (most <= WAIT_S_MAX).then(|| Wait { s_min: least.floor() as u64, s_max: most.ceil() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_mean_and_narrows_with_what_is_known() {
        assert_eq!(wait(1, 2), None, "too little is known");
        assert_eq!(wait(0, 60), None);
        let share = |position, taken| {
            let Wait { s_min, s_max } = wait(position, taken).unwrap();
            let mean = position * 3600 / u64::try_from(taken).unwrap();
            assert!(s_min < mean && mean < s_max, "{s_min} {mean} {s_max}");
            #[allow(clippy::cast_precision_loss)]
            let share = s_max as f64 / s_min as f64;
            share
        };
        assert!(share(10, 60) < share(10, 12), "more were taken");
        assert!(share(10, 60) < share(1, 60), "more are waited for");
        assert_eq!(wait(1, 12), Some(Wait { s_min: 79, s_max: 1137 }));
        assert_eq!(wait(50, 3), None, "most of a day is no estimate");
    }

    /// The range is what it says: conversations that leave by chance, one every `60/n` minutes.
    #[test]
    fn eight_of_ten_waits_are_within_it() {
        // An exponential pause by inverting its distribution, over a fixed sequence.
        let mut seed = 42_u64;
        let mut pause = |mean_s: f64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            #[allow(clippy::cast_precision_loss)]
            let share = ((seed >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
            -share.ln() * mean_s
        };
        let (mut within, mut all) = (0, 0);
        for _ in 0..4_000 {
            // Twenty an hour; what was seen of it, and then how long six take.
            let (mut taken, mut at_s) = (0, pause(180.0));
            while at_s < 3600.0 {
                taken += 1;
                at_s += pause(180.0);
            }
            let Some(Wait { s_min, s_max }) = wait(6, taken) else { continue };
            let waited: f64 = (0..6).map(|_| pause(180.0)).sum();
            #[allow(clippy::cast_precision_loss)]
            let is_within = waited >= s_min as f64 && waited <= s_max as f64;
            within += i32::from(is_within);
            all += 1;
        }
        let share = f64::from(within) / f64::from(all);
        assert!((0.72..=0.88).contains(&share), "{share} of {all}");
    }
}
