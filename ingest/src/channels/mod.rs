//! One folder a channel, with the same files in each.
//!
//! A channel whose provider calls us has `mod` (its account, which is a [`webhook::Webhook`]), `wire` (the
//! provider's format), `adapt` (raw bytes to normalized messages, pure) and `verify` (whether the provider
//! sent it); `webhook` is the one door for all of them. `api` and `web_chat` speak protocols of our own and
//! have routes of their own. A channel with files has `media` (how a file is asked for).

pub mod api;
pub mod chatwoot;
pub mod email;
pub mod phone;
mod shown;
mod signed;
pub mod telegram;
pub mod twilio;
pub mod web_chat;
pub mod webhook;
pub mod whatsapp_cloud;
