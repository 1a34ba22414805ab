//! What is told of a panic: where it was, and its words only where they are a literal of ours. Words
//! put together while running (an index, a slice of a text, an error's value) may hold what a
//! customer wrote.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::PanicHookInfo;

/// Longest literal told, in characters.
const CHARS_MAX: usize = 200;
const WITHHELD: &str = "a panic whose words are withheld, they may hold a customer's";

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics of this process are told without what a customer may have written.
pub fn withhold_words() {
    std::panic::set_hook(Box::new(|panic| {
        let account = account_of(panic);
        let _ = writeln!(std::io::stderr(), "{account}");
        // A thread that is ending has no place for it any more; a panic in here would abort.
        let _ =
            LAST.try_with(|last| *last.borrow_mut() = panic.location().map(ToString::to_string));
    }));
}

/// What standard error gets to read.
fn account_of(panic: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let mut account = format!("thread '{}' panicked", thread.name().unwrap_or("<unnamed>"));
    if let Some(location) = panic.location() {
        let _ = write!(account, " at {location}");
    }
    let _ = write!(account, ": {}", literal_of(panic.payload()));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        let _ = write!(account, "\n{trace}");
    }
    account
}

/// What a panic caught on this thread is told as; where it was is known after [`withhold_words`].
#[must_use]
pub fn words_of(payload: &(dyn Any + Send)) -> String {
    let words = literal_of(payload);
    match LAST.try_with(|last| last.borrow_mut().take()) {
        Ok(Some(location)) => format!("{words} ({location})"),
        _ => words,
    }
}

/// The compiler hands a literal on as it stands; words put together are a `String`.
fn literal_of(payload: &dyn Any) -> String {
    let literal = payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD);
    literal.chars().take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::panic::catch_unwind;

    const WRITTEN: &str = "olá, 529.982.247-25";

    #[test]
    fn literals_are_told_and_what_a_customer_wrote_is_not() {
        let told = |panic: fn()| literal_of(catch_unwind(panic).unwrap_err().as_ref());
        assert_eq!(told(|| panic!("ours")), "ours");
        assert_eq!(told(|| panic!("{}", black_box(WRITTEN))), WITHHELD);
        assert_eq!(told(|| drop(black_box(WRITTEN)[..3].to_owned())), WITHHELD);
        assert_eq!(told(|| black_box(Err(WRITTEN)).unwrap()), WITHHELD);
        assert_eq!(told(|| black_box(Err(black_box(WRITTEN))).expect("ours")), WITHHELD);
    }
}
