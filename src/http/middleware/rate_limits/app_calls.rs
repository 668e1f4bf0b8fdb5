//! The rate limit on apps whose requests are refused.

use super::charges::{charge, refuse};
use crate::{
    audit::Limit,
    error::{Code, Error, Result},
    http::{
        errors::oauth_error::Refusal as Refused,
        extract::{address::Address, app_form::Presented},
    },
    limits::Charge,
    oauth::{self, Proof, Shown},
    session::Core,
};

/// Runs an app's request. Refusals count by network, for all apps together. Once a network has had
/// too many, a request that cannot succeed is refused at once. The secret is looked up first: 256
/// bits cannot be guessed, and a valid secret must always work.
pub async fn app_call<T>(
    core: &Core,
    address: &Address,
    by: impl Into<Proof>,
    shown: Shown,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let attempt = async { attempt.await.map(|answer| (answer, Charged::Back)) };
    app_call_charged(core, address, by, shown, attempt).await
}

/// Whether an app's answer counts like a refusal.
pub enum Charged {
    /// It counts, so the charge stays.
    Kept,
    /// It does not count, so the charge is given back.
    Back,
}

/// Like [`app_call`], for requests some of whose successful answers count like refusals.
pub async fn app_call_charged<T>(
    core: &Core,
    address: &Address,
    by: impl Into<Proof>,
    shown: Shown,
    attempt: impl Future<Output = Result<(T, Charged)>>,
) -> Result<T> {
    let refusals = refused_call(address);
    // Charged before the attempt. Otherwise many requests at once would all get through.
    let charged = core.rate_limits.charge(&refusals, address.clock.steady());
    if let Err(refusal) = &charged
        && !oauth::may_succeed(core, by.into(), shown, address.at).await?
    {
        return refuse(core, address, address.subject(), refusal.clone()).await;
    }
    let result = attempt.await;
    match &result {
        Err(error) if counts(error) => tell_refusal(core, address, error),
        Ok((_, Charged::Kept)) => {}
        _ if charged.is_ok() => core.rate_limits.refund(&refusals),
        _ => {}
    }
    result.map(|(answer, _)| answer)
}

/// Looks up the app of a page. A failure counts like the refusal of an app, so that strangers
/// cannot use pages to try names of apps. An existing app is always found.
pub async fn app_of_page<T>(
    core: &Core,
    address: &Address,
    look: impl Future<Output = Result<T>>,
) -> Result<T> {
    match look.await {
        Err(error) => count_refused(core, address, error).await,
        found => found,
    }
}

/// The form of an app. A form that was refused counts like any other refusal.
pub async fn app_form<T>(core: &Core, address: &Address, form: Result<T, Refused>) -> Result<T> {
    match form {
        Ok(form) => Ok(form),
        Err(Refused(error)) => count_refused(core, address, error).await,
    }
}

/// The proof of an app. An invalid access token counts like any other refusal.
pub async fn proof(core: &Core, address: &Address, presented: Presented) -> Result<Proof> {
    match presented {
        Presented::Credentials(credentials) => Ok(Proof::Credentials(credentials)),
        Presented::Token(token) => match core.authenticate_token(token, address.at).await {
            Ok(token) => Ok(Proof::Token(token.granted.id)),
            Err(error) => count_refused(core, address, error).await,
        },
    }
}

/// Counts the refusal of an app and returns it. Returns `throttled` instead if the network has had
/// too many.
async fn count_refused<T>(core: &Core, address: &Address, error: Error) -> Result<T> {
    if counts(&error) {
        charge(core, address, address.subject(), &refused_call(address)).await?;
        tell_refusal(core, address, &error);
    }
    Err(error)
}

/// The charge of a network for one refusal of an app.
fn refused_call(address: &Address) -> Vec<Charge> {
    Charge::of_network(Limit::Apps, address.network)
}

/// Whether an error counts as the refusal of an app. Being told to wait and failures of the server
/// do not count.
fn counts(error: &Error) -> bool {
    let waits = matches!(
        error.code,
        Code::Throttled | Code::AuthorizationPending | Code::SlowDown
    );
    !waits && !error.is_failure()
}

/// Logs the refusal of an app, within the bounds on such lines.
fn tell_refusal(core: &Core, address: &Address, error: &Error) {
    if error.code == Code::InvalidClient {
        let arrival = address.arrival();
        if core.note_line(
            "an app's credentials were refused",
            arrival.network().widest(),
            &arrival,
        ) {
            // Not the client_id: users confuse the fields, and then it is the secret.
            tracing::warn!(address = %address.ip, "an app's credentials were refused");
        }
    }
}
