pub mod error;
pub mod irc;
pub mod model;
pub mod password;
pub mod secret;
