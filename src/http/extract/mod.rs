//! Extractors: what a handler takes from a request, already checked.

pub mod address;
pub mod app_form;
pub mod auth;
pub mod body;
pub mod cookie;
pub mod form_fields;
pub mod grammar;
mod moment;
pub mod proxies;
