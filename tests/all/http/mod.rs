//! The server's HTTP: requests by the byte, headers, forms, and the service itself.

mod authorization_grammar;
mod bad_input;
mod header_grammar;
mod html_forms;
mod http_by_hand;
mod service;
