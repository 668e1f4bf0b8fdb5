//! The JSON API and the delivery endpoints, one file per group of routes.

pub mod audit;
pub mod channel_list_cache;
pub mod channels;
pub mod clients;
pub mod event_stream;
pub mod grants;
pub mod history;
pub mod keys;
pub mod login;
pub mod messages;
pub mod service;
pub mod session;
pub mod socket;
