//! The product tried from outside: the real binary is started, spoken to over HTTP, killed, and
//! judged by what its doors acknowledged and what it holds afterwards.
//!
//! Invariant: nothing here links a room of the product whose work it judges; the corpus (texts to
//! send) is the only thing borrowed.

pub mod api;
pub mod chaos;
pub mod faketime;
pub mod histories;
pub mod installation;
pub mod provider;
pub mod server;
pub mod whatsapp;
