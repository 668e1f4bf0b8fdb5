//! Rate limits on what callers try and create: user codes, sessions, keys, codes and tokens. Attempts
//! at passwords are counted below, where passwords are verified.

use crate::{
    audit::{Limit, Subject},
    error::{Code, Error, Result},
    http::{
        errors::oauth_error::Refusal as Refused,
        extract::{address::Address, app_form::Presented},
        state::ServerState,
    },
    limits::{Charge, Refusal},
    model::{Caller, Network, SessionId},
    oauth::{self, Proof, Shown},
    secret::SecretHash,
};

/// Lets a client type the code that a device shows. Wrong ones count, by session, by network and of
/// all networks together.
///
/// What neighbours have tried does not keep out the right code of a session that has made no
/// mistake; but however many such sessions there are, a network has so many tries more and no
/// others. When all networks together have tried too much, a session and a network that have made
/// no mistake try on. For the others, codes are looked for among those that were asked for from the
/// client's own network, which is given to `attempt`: most people have the device beside them.
pub async fn user_code<T, F: Future<Output = Result<T>>>(
    server: &ServerState,
    address: &Address,
    Caller {
        session, client, ..
    }: Caller,
    attempt: impl FnOnce(Option<Network>) -> F,
) -> Result<T> {
    let subject = Subject {
        session: Some(session),
        client: Some(client),
        ..address.subject()
    };
    let (now, tries) = (server.clock.steady(), &server.core.tries);
    let own = Charge::new(Limit::SessionUserCodes, session);
    let with_own = |limit| {
        [
            Charge::of_network(limit, address.network),
            vec![own.clone()],
        ]
        .concat()
    };
    let innocent = with_own(Limit::UserCodes)
        .iter()
        .all(|charge| tries.is_unused(charge, now));
    let mut charged = tries.attempt(with_own(Limit::UserCodes), now).await;
    // What a wrong one is refused with, because it is no more than an exception.
    let mut refusal = None;
    if let Err(neighbours) = &charged
        && neighbours.limit == Limit::UserCodes
        && tries.is_unused(&own, now)
    {
        refusal = Some(neighbours.clone());
        charged = tries.attempt(with_own(Limit::FurtherUserCodes), now).await;
    }
    let charged = match charged {
        Ok(charged) => charged,
        Err(refusal) => return refuse(server, address, subject, refusal).await,
    };
    let everywhere = [Charge::new(Limit::AllUserCodes, "")];
    let (counted, within) = match tries.charge(&everywhere, now) {
        Ok(()) => (true, None),
        Err(all) => {
            refusal = Some(all);
            (false, (!innocent).then(|| address.network.widest()))
        }
    };
    match attempt(within).await {
        Err(wrong) if wrong.code == Code::NotFound => match refusal {
            Some(refusal) => refuse(server, address, subject, refusal).await,
            None => Err(wrong),
        },
        result => {
            charged.pass();
            if counted {
                tries.refund(&everywhere);
            }
            result
        }
    }
}

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

/// Charges for a token that an app asks for, by app and network. A refusal costs nothing. Tokens that
/// apps get for themselves are also counted by network, whatever the app, because a session can
/// create many API keys. Fails with `throttled`, or as the attempt does.
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

/// Charges for a device code, by app and network. A refusal costs nothing. Fails with `throttled`, or
/// as the attempt does.
pub async fn new_device_code<T>(
    server: &ServerState,
    address: &Address,
    client_id: &str,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let code = Charge::of_network_and(Limit::DeviceCodes, address.network, client_id);
    if_granted(server, address, &code, attempt).await
}

/// Charges before an attempt, and gives the charge back if the attempt fails.
async fn if_granted<T>(
    server: &ServerState,
    address: &Address,
    charges: &[Charge],
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    charge(server, address, address.subject(), charges).await?;
    let result = attempt.await;
    if result.is_err() {
        server.core.tries.refund(charges);
    }
    result
}

/// Runs a device's poll with its code. Polls that come too fast are counted. Fails with `throttled`,
/// or as the attempt does.
pub async fn poll<T>(
    server: &ServerState,
    address: &Address,
    code: SecretHash,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let fast = [Charge::new(Limit::FastPolls, code.hex())];
    let now = server.clock.steady();
    if let Err(refusal) = server.core.tries.check(&fast, now) {
        return refuse(server, address, address.subject(), refusal).await;
    }
    let result = attempt.await;
    if result
        .as_ref()
        .is_err_and(|error| error.code == Code::SlowDown)
    {
        server.core.tries.note(&fast, now);
    }
    result
}

/// Runs the request of an app. Refusals count by network, whatever app they name. For a network that
/// had too many, a request that cannot succeed is refused at once. Secrets of 256 bits cannot be
/// guessed, so they are looked up first: a valid secret always works.
pub async fn app_call<T>(
    server: &ServerState,
    address: &Address,
    by: impl Into<Proof>,
    shown: Shown,
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    let attempt = async { attempt.await.map(|answer| (answer, Charged::Back)) };
    app_call_charged(server, address, by, shown, attempt).await
}

/// Whether an answer to an app counts like a refusal.
pub enum Charged {
    /// It does: the charge stays.
    Kept,
    /// It does not: the charge is given back.
    Back,
}

/// Like [`app_call`], for attempts some of whose answers count like refusals.
pub async fn app_call_charged<T>(
    server: &ServerState,
    address: &Address,
    by: impl Into<Proof>,
    shown: Shown,
    attempt: impl Future<Output = Result<(T, Charged)>>,
) -> Result<T> {
    let refusals = refused_call(address);
    // Charged in advance: otherwise many requests at one time would all get through.
    let charged = server.core.tries.charge(&refusals, server.clock.steady());
    if let Err(refusal) = &charged
        && !oauth::may_succeed(&server.core, by.into(), shown, server.clock.due()).await?
    {
        return refuse(server, address, address.subject(), refusal.clone()).await;
    }
    let result = attempt.await;
    match &result {
        Err(error) if counts(error) => tell_refusal(server, address, error),
        Ok((_, Charged::Kept)) => {}
        _ if charged.is_ok() => server.core.tries.refund(&refusals),
        _ => {}
    }
    result.map(|(answer, _)| answer)
}

/// Looks up the app that a page is about. A failure counts like the refusal of an app, so that
/// nobody can try made-up names here. An app that exists is always found.
pub async fn app_of_page<T>(
    server: &ServerState,
    address: &Address,
    look: impl Future<Output = Result<T>>,
) -> Result<T> {
    match look.await {
        Err(error) => count_refused(server, address, error).await,
        found => found,
    }
}

/// The form of an app. A form that was refused counts like any other refusal.
pub async fn app_form<T>(
    server: &ServerState,
    address: &Address,
    form: Result<T, Refused>,
) -> Result<T> {
    match form {
        Ok(form) => Ok(form),
        Err(Refused(error)) => count_refused(server, address, error).await,
    }
}

/// What an app presents as proof. An access token that is not valid counts like any other refusal.
pub async fn proof(server: &ServerState, address: &Address, presented: Presented) -> Result<Proof> {
    match presented {
        Presented::Credentials(credentials) => Ok(Proof::Credentials(credentials)),
        Presented::Token(token) => match server
            .core
            .authenticate_token(token, server.clock.now(), server.clock.due())
            .await
        {
            Ok(token) => Ok(Proof::Token(token.granted.id)),
            Err(error) => count_refused(server, address, error).await,
        },
    }
}

/// Counts the refusal of an app, and returns it; for a network that had too many, returns `throttled`.
async fn count_refused<T>(server: &ServerState, address: &Address, error: Error) -> Result<T> {
    if counts(&error) {
        charge(server, address, address.subject(), &refused_call(address)).await?;
        tell_refusal(server, address, &error);
    }
    Err(error)
}

/// The charge of a network for one refusal of an app.
fn refused_call(address: &Address) -> Vec<Charge> {
    Charge::of_network(Limit::Apps, address.network)
}

/// Whether an error counts as the refusal of an app. A wait does not, nor does a failure of the
/// server.
fn counts(error: &Error) -> bool {
    let waits = matches!(
        error.code,
        Code::Throttled | Code::AuthorizationPending | Code::SlowDown
    );
    !waits && !error.is_failure()
}

/// Logs that an app was not let in, within the bounds on such lines.
fn tell_refusal(server: &ServerState, address: &Address, error: &Error) {
    if error.code == Code::InvalidClient {
        let arrival = address.arrival(server, server.clock.now());
        if server.core.tells(
            "an app's credentials were refused",
            arrival.network().widest(),
            &arrival,
        ) {
            // Not the client_id: people mistake the fields, and then it is the secret.
            tracing::warn!(address = %address.ip, "an app's credentials were refused");
        }
    }
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

/// Records a result that reached the storage limit, within the bounds on such lines, and returns it.
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
            .throttled(
                Limit::Storage,
                subject,
                &address.arrival(server, server.clock.now()),
            )
            .await;
    }
    result
}

/// Charges all of these, or none of them. Fails with `throttled`.
async fn charge(
    server: &ServerState,
    address: &Address,
    subject: Subject,
    charges: &[Charge],
) -> Result<()> {
    match server.core.tries.charge(charges, server.clock.steady()) {
        Ok(()) => Ok(()),
        Err(refusal) => refuse(server, address, subject, refusal).await,
    }
}

/// Returns a refusal. The first one of its kind and key in an hour is recorded.
async fn refuse<T>(
    server: &ServerState,
    address: &Address,
    subject: Subject,
    refusal: Refusal,
) -> Result<T> {
    if refusal.first {
        server
            .core
            .throttled(
                refusal.limit,
                subject,
                &address.arrival(server, server.clock.now()),
            )
            .await;
    }
    Err(refusal.into())
}
