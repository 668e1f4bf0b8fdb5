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
    http::extract::address::Address,
    limits::Charge,
    model::{Caller, SessionId},
    secret::SecretHash,
    session::Core,
};

/// Charges a network for a new session. Fails with `throttled`.
pub async fn new_session(core: &Core, address: &Address) -> Result<()> {
    charge(
        core,
        address,
        address.subject(),
        &Charge::of_network(Limit::NewSessions, address.network),
    )
    .await
}

/// Charges a session for a new API key, or a new secret of one. Fails with `throttled`.
pub async fn new_key(core: &Core, address: &Address, session: SessionId) -> Result<()> {
    of_session(core, address, session, Limit::Keys).await
}

/// Charges the app and the network for a token. A refusal costs nothing. Tokens with an app's own
/// credentials also count by network alone, because a session can create many API keys. Fails with
/// `throttled`, or as the attempt does.
pub async fn new_token<T>(
    core: &Core,
    address: &Address,
    client_id: &str,
    for_itself: bool,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut token = Charge::of_network_and(Limit::Tokens, address.network, client_id);
    if for_itself {
        token.extend(Charge::of_network(Limit::OwnTokens, address.network));
    }
    if_granted(core, address, &token, attempt).await
}

/// Charges the app and the network for a device code. A refusal costs nothing. Fails with
/// `throttled`, or as the attempt does.
pub async fn new_device_code<T>(
    core: &Core,
    address: &Address,
    client_id: &str,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let code = Charge::of_network_and(Limit::DeviceCodes, address.network, client_id);
    if_granted(core, address, &code, attempt).await
}

/// Runs a device's poll with its code. Polls that come too fast are counted. Fails with
/// `throttled`, or as the attempt does.
pub async fn poll<T>(
    core: &Core,
    address: &Address,
    code: SecretHash,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let fast = [Charge::new(Limit::FastPolls, code.hex())];
    let now = address.clock.steady();
    if let Err(refusal) = core.rate_limits.check(&fast, now) {
        return refuse(core, address, address.subject(), refusal).await;
    }
    let result = attempt.await;
    if result
        .as_ref()
        .is_err_and(|error| error.code == Code::SlowDown)
    {
        core.rate_limits.note(&fast, now);
    }
    result
}

/// Charges a session for an authorization code. Fails with `throttled`.
pub async fn new_code(core: &Core, address: &Address, session: SessionId) -> Result<()> {
    of_session(core, address, session, Limit::Codes).await
}

/// Charges a session alone for one of these. Fails with `throttled`.
async fn of_session(
    core: &Core,
    address: &Address,
    session: SessionId,
    limit: Limit,
) -> Result<()> {
    let subject = Subject {
        session: Some(session),
        ..address.subject()
    };
    charge(core, address, subject, &[Charge::new(limit, session)]).await
}

/// Records a result that reached the storage limit, within the bounds on such lines, and returns
/// it.
pub async fn storage<T>(
    core: &Core,
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
        core.throttled(Limit::Storage, subject, &address.arrival())
            .await;
    }
    result
}
