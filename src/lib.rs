//! Rejoin: an IRC-style chat server whose sessions are rejoined from any device by logging in.
//!
//! A **session** is one identity: a nick, its channels, its password. A **client** is a credential
//! with a delivery queue of its own. A **device** is a client that keeps the session alive. There
//! are no accounts. A session is created by picking a nick, kept by a cookie, and rejoined with
//! nick and password. It ends when its last device leaves.
//!
//! Programs act through a **grant**: what an **app** may do as a session. The session gives it on a
//! page, or by typing the code that a device shows; such an app is a device like any other. An API
//! key is an app that a session owns. Its bot is a client, but no device.
//!
//! # The central idea
//!
//! Everything that happens is an **event**, stored once in the **log** and addressed once to each
//! of its **targets** (a channel or a session), however many receive it. A client's **queue** is a
//! view, not a table: the events of its session's targets, while the session was a member, past the
//! client's **cursor**. So every client resumes exactly where it was, and a client that is slow or
//! away costs nothing and delays nobody. [`store::queue::page`] is that view.
//!
//! # The path of a request
//!
//! ```text
//! request → extractor (who calls) → Command (typed, checked) → one transaction (state + events)
//!         → commit → caller map, hub → response
//! ```
//!
//! - [`http`] says who calls: handlers get a caller from an extractor. The **caller map** in
//!   [`session`] holds every live client and access token in memory, by the hash of its secret.
//! - [`irc`] turns text into a typed command.
//! - [`session`] says who sees what, and what ends with what.
//! - [`chat`] and [`oauth`] hold the rules. What changes something is a synchronous function over
//!   one transaction.
//! - [`store`] runs them on one writer thread with group commit. What follows in memory is noted as
//!   a [`store::Effect`] and applied after the commit, before the answer.
//! - [`chat::delivery::hub`] pushes committed events to connected clients. Pushes are hints: a
//!   connection that loses one reads the log.
//!
//! # Where things are
//!
//! The highest layer stands first. Imports go down only, and no two files import each other.
//!
//! | module | what only this module knows |
//! |---|---|
//! | [`http`] | `axum`, `hyper`, `cookie`: connections, routes, pages, the embedded web client |
//! | [`control`] | the socket by which the operator's subcommands reach a running server |
//! | [`config`] | the command line |
//! | [`service`] | how core, chat and oauth are opened together |
//! | [`oauth`] | apps, API keys, grants, codes, tokens |
//! | [`chat`] | channels, messages, delivery |
//! | [`session`] | create, log in, password, devices, expiry, visibility, the cascade, the caller map |
//! | [`store`] | `rusqlite`: all SQL, one file of row functions per table, one dialect for every engine |
//! | [`password`] | `argon2`: hashing on threads of its own |
//! | [`secret`] | `rand`, `sha2`, `hmac`: secrets and their hashes |
//! | [`irc`] | message syntax, the table of verbs, modes, numerics; pure |
//! | [`limits`] | what may be tried or used, how often and how much, and who waits for whom |
//! | [`error`], [`audit`] | the one table of error codes; what is worth a line in the audit log |
//! | [`model`] | ids, names, times, scopes and views as types |
//!
//! # What holds everywhere
//!
//! - Only [`http`] reads and writes cookies. Nothing outside [`store`] knows of SQL.
//! - Only [`http`] and, for the operator, [`control`] write bytes to callers.
//! - Only `main` asks the system for the time of day.
//! - A request has one [`model::Moment`]: the time of day, and the time that expiries are compared
//!   with.
//! - Nobody is told anything before it is committed.
//! - Channels and sessions are found by their names through [`session::Visibility`] alone, so a
//!   grant's `res` (the channels to which it is restricted) holds in every command.
//! - A session without a device does not exist.
//!
//! `tests/all/rules.rs` and `tests/all/import_circles.rs` test the layers. `tests/all/model` tests
//! that no session is without a device.

#![warn(missing_docs)]

pub mod audit;
pub mod chat;
pub mod config;
pub mod control;
pub mod error;
pub mod http;
pub mod irc;
pub mod limits;
pub mod model;
pub mod oauth;
pub mod password;
pub mod secret;
pub mod service;
pub mod session;
pub mod store;
