//! What may be tried, and how often: passwords, codes, new sessions, keys and tokens, by address, by nick and by both together.
//!
//! Everything is charged before anything is looked up or hashed, or many tries at once would all pass; what was no guess
//! gets it back. Strangers who use up what is allowed for a nick do not lock its owner out: a client of that session, and an
//! address that one came from, are held to the limits of their own alone.

use super::{Shared, address::Address};
use crate::{
    audit::{Limit, Subject},
    error::{Code, Error, Result},
    limits::Charge,
    model::{Caller, Nick, SessionId},
};

/// What was charged for a try.
struct Charged(Vec<Charge>);

impl Charged {
    /// What was no guess is given back.
    fn settle<T>(self, app: &Shared, result: &Result<T>) {
        // A label that is reused for another password says whether that is the current one.
        let wrong = |error: &Error| {
            matches!(error.code, Code::LoginFailed | Code::PasswordMismatch | Code::LabelReused | Code::NotFound)
        };
        if !result.as_ref().is_err_and(wrong) {
            app.counts.refund(&self.0);
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
    let mut charged = Charged(Charge::of_network(Limit::Address, address.network));
    // What is nobody's nick is counted by its address.
    let nick = Nick::parse(nick).ok();
    let mut logins = Vec::new();
    if let Some(folded) = nick.as_ref().map(Nick::folded) {
        charged.0.extend(Charge::of_network_and(Limit::NickAndAddress, address.network, &folded));
        logins = Charge::of_network_and(Limit::Logins, address.network, &folded);
    }
    charge(app, address.subject(), &[&charged.0[..], &logins].concat(), nick.as_ref()).await?;
    // By now it has cost its address something, whatever comes of it.
    if let Some(nick) = nick {
        let of_nick = Charge::new(Limit::Nick, nick.folded());
        match charge(app, address.subject(), std::slice::from_ref(&of_nick), Some(&nick)).await {
            Ok(()) => charged.0.push(of_nick),
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
    let charges =
        [Charge::of_network(Limit::Address, address.network), vec![Charge::new(Limit::Client, caller.client)]];
    guess(app, address, caller, charges.concat(), attempt).await
}

/// Lets a client type the code that a device shows.
pub async fn user_code<T>(
    app: &Shared,
    address: &Address,
    caller: Caller,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let of_session = Charge::new(Limit::SessionUserCodes, caller.session);
    let charges = [Charge::of_network(Limit::UserCodes, address.network), vec![of_session]];
    guess(app, address, caller, charges.concat(), attempt).await
}

/// Lets a client try something that it may have guessed.
async fn guess<T>(
    app: &Shared,
    address: &Address,
    Caller { session, client, .. }: Caller,
    charges: Vec<Charge>,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let charged = Charged(charges);
    let subject = Subject { session: Some(session), client: Some(client), ..address.subject() };
    charge(app, subject, &charged.0, None).await?;
    let result = attempt.await;
    charged.settle(app, &result);
    result
}

/// Lets somebody make a session.
pub async fn new_session(app: &Shared, address: &Address) -> Result<()> {
    charge(app, address.subject(), &Charge::of_network(Limit::NewSessions, address.network), None).await
}

/// Lets a session have one more API key, or one more secret of one.
pub async fn new_key(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Charge::new(Limit::Keys, session)], None).await
}

/// Lets somebody ask for a token in the name of an app. What was no guess costs little: an app whose users are many asks often.
pub async fn new_token<T>(
    app: &Shared,
    address: &Address,
    client_id: String,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let guess = Charge::of_network_and(Limit::RefusedTokens, address.network, &client_id);
    let token = Charge::of_network_and(Limit::Tokens, address.network, &client_id);
    charge(app, address.subject(), &[&guess[..], &token].concat(), None).await?;
    let result = attempt.await;
    // A device that waits as it was told to asks as often as it likes.
    if result.as_ref().err().is_none_or(|error| error.code == Code::AuthorizationPending) {
        app.counts.refund(&guess);
    }
    result
}

/// Lets a session have one more authorization code.
pub async fn new_code(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Charge::new(Limit::Codes, session)], None).await
}

/// Lets a device ask for a code in the name of an app.
pub async fn new_device_code(app: &Shared, address: &Address, client_id: String) -> Result<()> {
    charge(app, address.subject(), &Charge::of_network_and(Limit::DeviceCodes, address.network, client_id), None).await
}

/// Charges the keys; a refusal is recorded once in its window, of the subject, and of the session that has the nick where the
/// limit is about one.
async fn charge(app: &Shared, subject: Subject, charges: &[Charge], nick: Option<&Nick>) -> Result<()> {
    let Err(refusal) = app.counts.charge(charges, app.clock.steady()) else { return Ok(()) };
    if refusal.first {
        let of_nick = matches!(refusal.limit, Limit::Nick | Limit::NickAndAddress | Limit::Logins);
        let nick = nick.filter(|_| of_nick).cloned();
        app.chat.throttled(refusal.limit, subject, nick, app.clock.now()).await;
    }
    Err(refusal.into())
}
