//! What may be tried and made, and how often, where it is no password: user codes, new sessions, keys and tokens. Passwords are
//! counted where they are judged ([`crate::chat`]).

use super::{Shared, address::Address};
use crate::{
    audit::{Limit, Subject},
    error::{Code, Result},
    limits::{Charge, Refusal},
    model::{Caller, SessionId},
};

/// Lets a client type the code that a device shows. Wrong ones count, by session and by network. What neighbours have tried
/// does not keep out the right code of a session that has made no mistake.
pub async fn user_code<T>(
    app: &Shared,
    address: &Address,
    Caller { session, client, .. }: Caller,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let subject = Subject { session: Some(session), client: Some(client), ..address.subject() };
    let now = app.clock.steady();
    let own = Charge::new(Limit::SessionUserCodes, session);
    let all = [Charge::of_network(Limit::UserCodes, address.network), vec![own.clone()]].concat();
    let (charged, neighbours) = match app.chat.tries.attempt(all, now).await {
        Ok(charged) => (charged, None),
        Err(refusal) if refusal.limit == Limit::UserCodes && app.chat.tries.is_unused(&own, now) => {
            match app.chat.tries.attempt(vec![own], now).await {
                Ok(charged) => (charged, Some(refusal)),
                Err(refusal) => return refuse(app, subject, refusal).await,
            }
        }
        Err(refusal) => return refuse(app, subject, refusal).await,
    };
    let result = attempt.await;
    match (result, neighbours) {
        (Err(wrong), Some(refusal)) if wrong.code == Code::NotFound => refuse(app, subject, refusal).await,
        (Err(wrong), None) if wrong.code == Code::NotFound => Err(wrong),
        (result, _) => {
            charged.pass();
            result
        }
    }
}

/// Lets somebody make a session.
pub async fn new_session(app: &Shared, address: &Address) -> Result<()> {
    charge(app, address.subject(), &Charge::of_network(Limit::NewSessions, address.network)).await
}

/// Lets a session have one more API key, or one more secret of one.
pub async fn new_key(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Charge::new(Limit::Keys, session)]).await
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
    charge(app, address.subject(), &[&guess[..], &token].concat()).await?;
    let result = attempt.await;
    // A device that waits as it was told to asks as often as it likes.
    if result.as_ref().err().is_none_or(|error| error.code == Code::AuthorizationPending) {
        app.chat.tries.refund(&guess);
    }
    result
}

/// Lets a session have one more authorization code.
pub async fn new_code(app: &Shared, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject { session: Some(session), ..address.subject() };
    charge(app, subject, &[Charge::new(Limit::Codes, session)]).await
}

/// Lets a device ask for a code in the name of an app.
pub async fn new_device_code(app: &Shared, address: &Address, client_id: String) -> Result<()> {
    charge(app, address.subject(), &Charge::of_network_and(Limit::DeviceCodes, address.network, client_id)).await
}

/// Charges the keys.
async fn charge(app: &Shared, subject: Subject, charges: &[Charge]) -> Result<()> {
    match app.chat.tries.charge(charges, app.clock.steady()) {
        Ok(()) => Ok(()),
        Err(refusal) => refuse(app, subject, refusal).await,
    }
}

/// Refuses; the first refusal of a key in an hour is recorded.
async fn refuse<T>(app: &Shared, subject: Subject, refusal: Refusal) -> Result<T> {
    if refusal.first {
        app.chat.throttled(refusal.limit, subject, app.clock.now()).await;
    }
    Err(refusal.into())
}
