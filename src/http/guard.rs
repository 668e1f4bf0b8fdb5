//! What may be tried, and how often: passwords, codes, new sessions, keys and tokens, by address, by nick and by both together.
//!
//! Everything is charged before anything is looked up or hashed, or many tries at once would all pass; what was no guess
//! gets it back. Strangers who use up what is allowed for a nick do not lock its owner out: a client of that session, and an
//! address that one came from, are held to the limits of their own alone.

use std::time::Duration;

use super::{Shared, address::Address};
use crate::{
    audit::{Limit, Subject},
    config::Rate,
    error::{Code, Error, Result},
    model::{Caller, ClientId, Network, Nick, SessionId},
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
    /// Passwords for a nick from an address, right ones too: each makes a client.
    Logins(String, Network),
    /// Wrong current passwords of a client: whoever holds a device's cookie does not hold its session's password.
    Client(ClientId),
    /// New sessions from an address.
    NewSessions(Network),
    /// New API keys of a session, and new secrets of them.
    Keys(SessionId),
    /// Refused requests for tokens in the name of an app from an address.
    Tokens(String, Network),
    /// Tokens for an app from an address.
    IssuedTokens(String, Network),
    /// Authorization codes of a session.
    Codes(SessionId),
    /// Device codes for an app from an address.
    DeviceCodes(String, Network),
    /// Wrong user codes from an address.
    UserCodes(Network),
    /// Wrong user codes of a session.
    SessionUserCodes(SessionId),
}

impl Key {
    /// How many at once, and how long until one more.
    pub fn rate(&self) -> Rate {
        let (burst, seconds) = match self {
            Self::IssuedTokens(..) => return Rate { burst: 1000, every: Duration::from_millis(100) },
            Self::Address(_) => (20, 15),
            Self::Nick(_) => (50, 30),
            Self::NickAndAddress(..) | Self::Client(_) => (10, 30),
            Self::Logins(..) => (100, 30),
            Self::NewSessions(_) => (100, 10),
            Self::Keys(_) => (100, 60),
            Self::Tokens(..) | Self::Codes(_) => (60, 10),
            Self::DeviceCodes(..) => (30, 20),
            Self::UserCodes(_) => (20, 15),
            Self::SessionUserCodes(_) => (10, 30),
        };
        Rate { burst, every: Duration::from_secs(seconds) }
    }

    fn limit(&self) -> Limit {
        match self {
            Self::Address(_) => Limit::Address,
            Self::Nick(_) => Limit::Nick,
            Self::NickAndAddress(..) => Limit::NickAndAddress,
            Self::Logins(..) => Limit::Logins,
            Self::Client(_) => Limit::Client,
            Self::NewSessions(_) => Limit::NewSessions,
            Self::Keys(_) => Limit::Keys,
            Self::Tokens(..) | Self::IssuedTokens(..) => Limit::Tokens,
            Self::Codes(_) => Limit::Codes,
            Self::DeviceCodes(..) => Limit::DeviceCodes,
            Self::UserCodes(_) => Limit::UserCodes,
            Self::SessionUserCodes(_) => Limit::SessionUserCodes,
        }
    }

    /// Whether only failures count in the end.
    fn is_given_back(&self) -> bool {
        !matches!(self, Self::Logins(..))
    }
}

/// What was charged for a try.
struct Charged(Vec<Key>);

impl Charged {
    /// Of what was no guess, only what counts anyway stays charged.
    fn settle<T>(self, app: &Shared, result: &Result<T>) {
        let wrong = |error: &Error| matches!(error.code, Code::LoginFailed | Code::PasswordMismatch | Code::NotFound);
        if !result.as_ref().is_err_and(wrong) {
            app.tries.refund(&self.0.into_iter().filter(Key::is_given_back).collect::<Vec<_>>());
        }
    }
}

/// Lets somebody try to log in. `present` is the session that the request's own cookie names.
pub async fn login<T>(
    app: &Shared,
    address: &Address,
    nick: &str,
    present: Option<SessionId>,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut charged = Charged(vec![Key::Address(address.network)]);
    // What is nobody's nick is counted by its address.
    let nick = Nick::parse(nick).ok();
    if let Some(folded) = nick.as_ref().map(Nick::folded) {
        charged.0.push(Key::NickAndAddress(folded.clone(), address.network));
        charged.0.push(Key::Logins(folded, address.network));
    }
    charge(app, address.subject(), &charged.0).await?;
    // By now it has cost its address something, whatever comes of it.
    if let Some(nick) = nick {
        let key = Key::Nick(nick.folded());
        match charge(app, address.subject(), std::slice::from_ref(&key)).await {
            Ok(()) => charged.0.push(key),
            Err(refusal) if !app.chat.knows(nick, address.network, present).await? => return Err(refusal),
            Err(_) => {}
        }
    }
    let result = attempt.await;
    charged.settle(app, &result);
    result
}

/// Lets a client change its session's password.
pub async fn pass<T>(
    app: &Shared,
    address: &Address,
    caller: Caller,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    guess(app, address, caller, vec![Key::Address(address.network), Key::Client(caller.client)], attempt).await
}

/// Lets a client type the code that a device shows.
pub async fn user_code<T>(
    app: &Shared,
    address: &Address,
    caller: Caller,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    guess(app, address, caller, vec![Key::UserCodes(address.network), Key::SessionUserCodes(caller.session)], attempt)
        .await
}

/// Lets a client try something that it may have guessed.
async fn guess<T>(
    app: &Shared,
    address: &Address,
    Caller { session, client, .. }: Caller,
    keys: Vec<Key>,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let charged = Charged(keys);
    let subject = Subject { session: Some(session), client: Some(client), ..address.subject() };
    charge(app, subject, &charged.0).await?;
    let result = attempt.await;
    charged.settle(app, &result);
    result
}

/// Lets somebody make a session.
pub async fn new_session(app: &Shared, address: &Address) -> Result<()> {
    charge(app, address.subject(), &[Key::NewSessions(address.network)]).await
}

/// Lets a session have one more API key, or one more secret of one.
pub async fn new_key(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Key::Keys(session)]).await
}

/// Lets somebody ask for a token in the name of an app. What was no guess costs little: an app whose users are many asks often.
pub async fn new_token<T>(
    app: &Shared,
    address: &Address,
    client_id: String,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let guess = Key::Tokens(client_id.clone(), address.network);
    charge(app, address.subject(), &[guess.clone(), Key::IssuedTokens(client_id, address.network)]).await?;
    let result = attempt.await;
    // A device that waits as it was told to asks as often as it likes.
    if result.as_ref().err().is_none_or(|error| error.code == Code::AuthorizationPending) {
        app.tries.refund(&[guess]);
    }
    result
}

/// Lets a session have one more authorization code.
pub async fn new_code(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Key::Codes(session)]).await
}

/// Lets a device ask for a code in the name of an app.
pub async fn new_device_code(app: &Shared, address: &Address, client_id: String) -> Result<()> {
    charge(app, address.subject(), &[Key::DeviceCodes(client_id, address.network)]).await
}

/// Charges the keys; a refusal is recorded once in its window, of the subject and of whoever has the nick.
async fn charge(app: &Shared, subject: Subject, keys: &[Key]) -> Result<()> {
    let Err(refusal) = app.tries.charge(keys, app.clock.steady()) else { return Ok(()) };
    if refusal.first {
        let nick = match &refusal.key {
            Key::Nick(nick) | Key::NickAndAddress(nick, _) | Key::Logins(nick, _) => Some(Nick::stored(nick.clone())),
            _ => None,
        };
        app.chat.throttled(refusal.key.limit(), subject, nick, app.clock.now()).await;
    }
    Err(refusal.into())
}
