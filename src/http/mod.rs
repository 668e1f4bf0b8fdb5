//! HTTP: the only layer that names `axum`, `hyper` and `cookie`. Apart from the operator's control
//! socket, it is the only one that writes bytes.
//!
//! A request takes this way:
//!
//! 1. `server` accepts a connection, within limits and time-outs.
//! 2. `middleware` counts the request and checks it: the security headers, that it is meant for
//!    this server, that no other site sent it, the length of its body.
//! 3. `extract` says who calls and reads the body. A handler has no other way to name a caller.
//! 4. A handler of `api`, `oauth` or `pages` calls the chat and renders what it returns.
//!    `routes` has every route on one screen.

mod api;
mod description;
mod errors;
mod extract;
mod metrics;
mod middleware;
mod oauth;
mod pages;
mod routes;
mod server;
mod state;

pub use server::Server;
