//! The product under faults and load, judged from outside: `kill -9` of the one process (`kill9`), and
//! all that can happen to many of them, on Kafka and CQL (`cluster`).
//!
//! Customers write at a steady rate and note what is acknowledged; a channel counts what it is sent;
//! the server is killed again and again, at any moment or at named points of its work; at rest, everything its doors show is gathered and judged.
//! The judge is not believed before it has caught every fault planted for it.

mod channel;
pub mod cluster;
mod customers;
mod facts;
mod gather;
mod judge;
mod kill9;
mod planted;
mod points;
mod trial;

pub use channel::Channel;
pub use customers::{Customers, Journal, Load};
pub use facts::{Facts, Line, Sent, Written};
pub use gather::gather;
pub use judge::{Violation, judge};
pub use kill9::{Asked, kill9};
pub use planted::{missed, plant_in_store};
pub use points::{Point, at_points};
pub use trial::{Report, Trial};
