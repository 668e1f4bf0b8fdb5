//! Rejoin: an IRC-style chat server whose sessions are rejoined from any device by logging in.
//!
//! A **session** is one identity: a nick, its channels, its password. It lives while it has a
//! **client**: a device with a delivery queue of its own. There are no accounts; a session is made
//! by picking a nick, kept by a cookie, rejoined with nick and password, and it ends when its last
//! client leaves.
//!
//! Programs come by a **grant**: what an **app** may do as a session. The session gives it on a
//! page, or by typing the code that a device shows; such an app is a device like any other. An API
//! key is an app that a session owns; its bot is a client, with a queue, and yet no device: it does
//! not keep the session alive.
//!
//! # The one idea
//!
//! Everything that happens is an **event**, stored once in the **log** and addressed once to each
//! of its **targets** (a channel, or a session), however many receive it. A client's **queue** is
//! no table but a view: the events of its session's targets, while the session was a member, past
//! the client's **cursor**. So every client resumes exactly where it was, and one that is slow or
//! away costs nothing and holds nobody up. [`store::log::page`] is that view.
//!
//! # One way through the house
//!
//! ```text
//! request → extractor (who calls) → Command (typed, checked) → one transaction (state + events)
//!         → commit → caller map, hub → response
//! ```
//!
//! - [`irc`] parses once; nothing behind it sees text.
//! - [`http`] says who calls: a handler that does not take the extractor cannot name a caller.
//! - [`chat`] holds the rules, as synchronous functions over a transaction.
//! - [`store`] runs them on one writer thread with group commit; what follows in memory is noted as
//!   a [`store::Effect`] and applied after the commit, before the answer.
//! - [`chat::delivery::hub`] pushes committed events to whoever is connected. Pushes are hints: a connection
//!   that loses one reads the log.
//!
//! # Where things are
//!
//! | module | what it knows, and nobody else |
//! |---|---|
//! | [`model`], [`error`], [`audit`] | the words as types; the one table of error codes; what is worth a line in the audit log |
//! | [`limits`] | what may be tried or used, how often and how much, and who waits for whom when something is scarce |
//! | [`irc`] | message syntax, the table of verbs, modes, numerics; pure |
//! | [`secret`] | `rand`, `sha2` and `hmac`: secrets and their hashes |
//! | [`password`] | `argon2`: hashing on threads of its own |
//! | [`store`] | `rusqlite`: all SQL |
//! | [`chat`] | the rules, the caller map, the hub |
//! | [`oauth`] | apps, API keys and devices: the rules of who gets which token |
//! | [`config`] | the command line |
//! | [`control`] | the socket by which the operator's subcommands reach a running server |
//! | [`http`] | `axum`, `hyper` and `cookie`: connections, routes, bytes, the embedded web client |
//!
//! # What holds everywhere
//!
//! That table has the lowest first, and imports go down only. Nothing below [`http`] knows of
//! cookies; nothing outside [`store`] knows of SQL; nothing but [`http`], and for the operator
//! [`control`], writes bytes; nobody but `main` asks the system for the time of day. Nothing is
//! told to anyone before it is committed. Channels and people are found by their names through
//! [`store::sight`] alone, so that a grant's `res` holds whatever a command does. A session without
//! a client does not exist. `tests/all/rules.rs` keeps the first of these, `tests/all/model` the
//! last.

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
