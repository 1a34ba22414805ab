//! Faults of a deployment on Kafka and CQL: real servers, real processes, one fault at a time under
//! load, and the same judge.
//!
//! What is judged comes through the doors of the installation and the channel only. Processes are
//! looked after as a supervisor would, and what ended by itself is counted.

mod brokers;
mod faults;
mod installation;
mod probes;
mod process;
mod proxy;
mod registry;
mod report;
mod run;
mod services;
mod told;

pub use brokers::Brokers;
pub use faults::Fault;
pub use registry::FakeRegistry;
pub use report::Report;
pub use run::{Ordered, Servers, Stand, Watched};
pub use services::Service;
