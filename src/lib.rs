pub mod chat;
pub mod error;
pub mod irc;
pub mod model;
pub mod password;
pub mod secret;
pub mod store;
