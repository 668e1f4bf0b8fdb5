//! Rate limits on what callers try and create: user codes, sessions, keys, codes and tokens.
//! Password guesses are counted in [`crate::session`], which verifies passwords.

mod app_calls;
mod charges;
mod user_codes;

use self::charges::{charge, if_granted, refuse};
pub use self::{
    app_calls::{Charged, app_call, app_call_charged, app_form, app_of_page, proof},
    user_codes::user_code,
};
use crate::{
    audit::{Limit, Subject},
    error::{Code, Result},
    http::{extract::address::Address, state::ServerState},
    limits::Charge,
    model::{Caller, SessionId},
    secret::SecretHash,
};

/// Charges a network for a new session. Fails with `throttled`.
pub async fn new_session(server: &ServerState, address: &Address) -> Result<()> {
    charge(
        server,
        address,
        address.subject(),
        &Charge::of_network(Limit::NewSessions, address.network),
    )
    .await
}

/// Charges a session for a new API key, or a new secret of one. Fails with `throttled`.
pub async fn new_key(server: &ServerState, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject {
        session: Some(session),
        ..address.subject()
    };
    charge(
        server,
        address,
        subject,
        &[Charge::new(Limit::Keys, session)],
    )
    .await
}

/// Charges the app and the network for a token. A refusal costs nothing. Tokens with an app's own
/// credentials also count by network alone, because a session can create many API keys. Fails with
/// `throttled`, or as the attempt does.
pub async fn new_token<T>(
    server: &ServerState,
    address: &Address,
    client_id: &str,
    for_itself: bool,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut token = Charge::of_network_and(Limit::Tokens, address.network, client_id);
    if for_itself {
        token.extend(Charge::of_network(Limit::OwnTokens, address.network));
    }
    if_granted(server, address, &token, attempt).await
}

/// Charges the app and the network for a device code. A refusal costs nothing. Fails with
/// `throttled`, or as the attempt does.
pub async fn new_device_code<T>(
    server: &ServerState,
    address: &Address,
    client_id: &str,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let code = Charge::of_network_and(Limit::DeviceCodes, address.network, client_id);
    if_granted(server, address, &code, attempt).await
}

/// Runs a device's poll with its code. Polls that come too fast are counted. Fails with
/// `throttled`, or as the attempt does.
pub async fn poll<T>(
    server: &ServerState,
    address: &Address,
    code: SecretHash,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let fast = [Charge::new(Limit::FastPolls, code.hex())];
    let now = server.clock.steady();
    if let Err(refusal) = server.core.rate_limits.check(&fast, now) {
        return refuse(server, address, address.subject(), refusal).await;
    }
    let result = attempt.await;
    if result
        .as_ref()
        .is_err_and(|error| error.code == Code::SlowDown)
    {
        server.core.rate_limits.note(&fast, now);
    }
    result
}

/// Charges a session for an authorization code. Fails with `throttled`.
pub async fn new_code(server: &ServerState, address: &Address, session: SessionId) -> Result<()> {
    let subject = Subject {
        session: Some(session),
        ..address.subject()
    };
    charge(
        server,
        address,
        subject,
        &[Charge::new(Limit::Codes, session)],
    )
    .await
}

/// Records a result that reached the storage limit, within the bounds on such lines, and returns
/// it.
pub async fn storage<T>(
    server: &ServerState,
    address: &Address,
    caller: Option<Caller>,
    result: Result<T>,
) -> Result<T> {
    if result
        .as_ref()
        .is_err_and(|error| error.code == Code::StorageLimit)
    {
        let (session, client) = (
            caller.map(|caller| caller.session),
            caller.map(|caller| caller.client),
        );
        let subject = Subject {
            session,
            client,
            ..address.subject()
        };
        server
            .core
            .throttled(Limit::Storage, subject, &address.arrival(server))
            .await;
    }
    result
}
