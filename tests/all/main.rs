//! The one integration binary: everything over real HTTP, on ports the system picks.

mod support;

mod bad_input;
mod commands;
mod modes;
mod sessions;
