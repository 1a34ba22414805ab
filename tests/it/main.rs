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

mod acceptance;
mod accounts;
mod agents;
mod browser;
mod channels;
mod clock;
mod cluster;
mod command_line;
mod context;
mod contracts;
mod crash;
mod csat;
mod customers;
mod dead_letters;
mod delivery;
mod demo;
mod drill;
mod email;
mod full_disk;
mod labels;
mod long_answers;
mod media;
mod mirror;
mod models;
mod moving;
mod offers;
mod openapi;
mod phone;
mod privacy;
mod tenants;
mod texts;
mod tidy;
mod web_chat;
mod web_chat_http;
mod web_chat_live;
mod web_chat_look;
mod whatsapp;
mod widget;
