//! One folder a channel, with the same files in each: `mod` (the routes), `adapt` (raw bytes to
//! normalized messages, pure) and what the channel needs besides.

pub mod api;
pub mod email;
pub mod web_chat;
pub mod whatsapp_cloud;
