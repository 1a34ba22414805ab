//! Customers' traffic against a running server, open loop: messages are sent at times fixed in
//! advance, whether the server keeps up or not, and times are counted from when they should have been
//! sent.

mod client;
mod day;
mod load;
mod texts;

pub use client::Client;
pub use day::{Demo, live};
pub use load::run;
