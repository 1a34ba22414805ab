//! What is told of a panic in a process that withholds words. A process of its own, because the hook
//! is the process's.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

use std::hint::black_box;
use std::panic::catch_unwind;

use pipeline::panics::{withhold_words, words_of};

#[test]
fn a_panic_is_told_by_where_it_was() {
    withhold_words();
    let written = "olá, 529.982.247-25";
    let panic = catch_unwind(|| panic!("{}", black_box(written))).unwrap_err();
    let told = words_of(panic.as_ref());
    assert!(told.contains("tests/panics.rs:") && !told.contains(written), "{told}");
    let panic = catch_unwind(|| panic!("ours")).unwrap_err();
    let told = words_of(panic.as_ref());
    assert!(told.starts_with("ours (") && told.contains("tests/panics.rs:"), "{told}");
}
