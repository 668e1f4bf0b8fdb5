//! The one integration binary: everything over real HTTP, on ports the system picks.

mod support;

mod apps;
mod bad_input;
mod bots;
mod browser;
mod commands;
mod crash;
mod delivery;
mod devices;
mod elsewhere;
mod expiry;
mod faults;
mod guard;
mod hostile;
mod keys;
mod labels;
mod login;
mod model;
mod modes;
mod operator;
mod races;
mod readme;
mod registry;
mod remembered;
mod retention;
mod rules;
mod service;
mod sessions;
mod socket;
mod store;
mod storm;
mod tokens;
mod ways;
mod wire;
