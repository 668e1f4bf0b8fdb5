//! The one integration binary. Every test uses real HTTP on ports that the system picks.

mod support;

mod chat;
mod delivery;
mod dialect;
mod examples;
mod http;
mod import_circles;
mod limits;
mod model;
mod new_verb;
mod oauth;
mod operate;
mod page;
mod rules;
mod session;
mod store;
