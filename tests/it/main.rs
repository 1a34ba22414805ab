//! The product tried from outside: see the `tests` library for how.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)] // a test fails loudly, and says what it skips

mod crash;
