//! What strangers may try, and how often: passwords and new sessions, by address, by nick and by both together.
//!
//! Everything is charged before anything is looked up or hashed, or many tries at once would all pass; what was no guess
//! gets it back. Strangers who use up what is allowed for a nick do not lock its owner out: an address that a client of
//! that session came from is held to the limits of its own alone.

use std::time::Duration;

use super::{Shared, address::Address};
use crate::{
    audit::{Limit, Subject},
    config::Rate,
    error::{Code, Error, Result},
    model::{Network, Nick, SessionId},
};

/// What a try is counted by; nicks are folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Wrong passwords from an address, for whatever nick.
    Address(Network),
    /// Wrong passwords for a nick, wherever they come from.
    Nick(String),
    /// Wrong passwords for a nick from an address.
    NickAndAddress(String, Network),
    /// Wrong current passwords in a session: whoever holds a device's cookie does not hold its password.
    Session(SessionId),
    /// New sessions from an address.
    NewSessions(Network),
}

impl Key {
    /// How many at once, and how long until one more.
    pub fn rate(&self) -> Rate {
        let (burst, seconds) = match self {
            Self::Address(_) => (20, 15),
            Self::Nick(_) => (50, 30),
            Self::NickAndAddress(..) | Self::Session(_) => (10, 30),
            Self::NewSessions(_) => (100, 10),
        };
        Rate { burst, every: Duration::from_secs(seconds) }
    }

    fn limit(&self) -> Limit {
        match self {
            Self::Address(_) => Limit::Address,
            Self::Nick(_) => Limit::Nick,
            Self::NickAndAddress(..) => Limit::NickAndAddress,
            Self::Session(_) => Limit::Session,
            Self::NewSessions(_) => Limit::NewSessions,
        }
    }

    /// The keys of a login. What is nobody's nick is counted by its address.
    pub fn of_login(nick: &str, network: Network) -> Vec<Self> {
        let nick = Nick::parse(nick).ok();
        let of_nick =
            nick.map(|nick| nick.folded()).map(|nick| [Self::Nick(nick.clone()), Self::NickAndAddress(nick, network)]);
        [Self::Address(network)].into_iter().chain(of_nick.into_iter().flatten()).collect()
    }

    /// The keys of a PASS that gives the current password.
    pub fn of_pass(session: SessionId, network: Network) -> Vec<Self> {
        vec![Self::Address(network), Self::Session(session)]
    }
}

/// Lets somebody try a password; only a wrong one counts in the end.
pub async fn guess<T>(
    app: &Shared,
    address: &Address,
    keys: Vec<Key>,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let charged = charge(app, address, keys).await?;
    let result = attempt.await;
    let wrong = |error: &Error| matches!(error.code, Code::LoginFailed | Code::PasswordMismatch);
    if !result.as_ref().is_err_and(wrong) {
        app.tries.refund(&charged);
    }
    result
}

/// Charges the keys, and returns those that were charged.
pub async fn charge(app: &Shared, address: &Address, mut keys: Vec<Key>) -> Result<Vec<Key>> {
    let mut charged = app.tries.charge(&keys, app.clock.steady());
    if let Err(refusal) = &charged
        && let Key::Nick(nick) = &refusal.key
        && app.chat.knows(Nick::stored(nick.clone()), address.network).await?
    {
        keys.retain(|key| !matches!(key, Key::Nick(_)));
        charged = app.tries.charge(&keys, app.clock.steady());
    }
    let Err(refusal) = charged else { return Ok(keys) };
    if refusal.first {
        let (nick, session) = match &refusal.key {
            Key::Nick(nick) | Key::NickAndAddress(nick, _) => (Some(Nick::stored(nick.clone())), None),
            Key::Session(session) => (None, Some(*session)),
            Key::Address(_) | Key::NewSessions(_) => (None, None),
        };
        let subject = Subject { session, ..address.subject() };
        app.chat.throttled(refusal.key.limit(), subject, nick, app.clock.now()).await;
    }
    Err(refusal.into())
}
