//! Tokens for a device that has no browser: it shows a code, a person types that where they are
//! signed in, and the device, which asks again and again, is let in (RFC 8628).

use std::{net::IpAddr, time::Duration};

use super::{
    Credentials,
    approval::{self, Asked},
    authenticate, invalid_client, invalid_grant,
    tokens::{self, GRANT_LIFE, Issued, Mint, TokenRequest},
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Caller, ChannelName, Network, Scopes, Timestamp},
    secret::{Kind, Secret, SecretHash, UserCode, UserCodeHash},
    session::{Core, LiveClient},
    store::{
        Priority, Read, Write,
        app::{self, App},
        audit,
        device_code::{self, Decision, DeviceCode, NewDeviceCode},
        grant::NewGrant,
    },
};

/// How long a code works.
pub const LIFE: Duration = Duration::from_mins(10);
/// How much longer one works that was approved: the device may poll just after the code was to
/// expire.
const APPROVED: Duration = Duration::from_mins(1);
/// Between two polls, at least.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How much sooner a poll may come and still be in time, because networks and timers waver.
const EARLY: Duration = Duration::from_secs(1);
/// How much longer the interval is after each poll that came too early (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// Codes of an app that wait for somebody, asked for from one address, at most.
const MAX_PENDING: i64 = 50;
/// User codes that are drawn until one is free. Were a million in use, a second one would be needed
/// once in 25,000 times.
const DRAWN: usize = 4;

/// What a device asks for.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    pub credentials: Credentials,
    /// Left out, it is all that the app may do, except to manage the session.
    pub scope: Option<Scopes>,
    pub address: IpAddr,
    pub now: Timestamp,
    /// The time by which some things are over.
    pub due: Timestamp,
}

/// A code for the device to ask with, and one for it to show.
#[derive(Debug)]
pub struct DeviceAuthorization {
    pub device_code: Secret,
    pub user_code: UserCode,
}

/// Gives a device its codes (RFC 8628 §3.2). They are for apps of the operator's: an API key has a
/// session already.
pub async fn authorize(core: &Core, request: DeviceRequest) -> Result<DeviceAuthorization> {
    let DeviceRequest {
        credentials,
        scope,
        address,
        now,
        due,
    } = request;
    let app = authenticate(core, credentials, due).await?;
    require_flow(&app)?;
    let scope = approval::scope(&app, scope)?;
    let keys = core.keys.ring();
    for _ in 0..DRAWN {
        let (device_code, user_code) = (Secret::generate_as(Kind::Device)?, UserCode::generate()?);
        let hashes = keys.hashes(&user_code);
        let new = NewDeviceCode {
            secret: device_code.hash(),
            user_code: keys.hash(&user_code, due),
            key: keys.current(due).clone(),
            app: app.id,
            scope,
            address,
            expires_at: due.plus(LIFE),
            interval: INTERVAL,
        };
        if core
            .store
            .write_as(Priority::Entry, move |tx| {
                insert(tx, &new, &hashes, now, due)
            })
            .await?
        {
            return Ok(DeviceAuthorization {
                device_code,
                user_code,
            });
        }
    }
    Err(Error::internal("no user code was free"))
}

fn require_flow(app: &App) -> Result<()> {
    let refusal = || {
        Error::new(
            Code::UnauthorizedClient,
            "this app is not registered for the device flow",
        )
    };
    app.has_device_flow().then_some(()).ok_or_else(refusal)
}

/// Inserts a code, unless its user code is in use, whichever key that was hashed with; whether it
/// did.
fn insert(
    tx: &Write,
    new: &NewDeviceCode,
    hashes: &[UserCodeHash],
    now: Timestamp,
    due: Timestamp,
) -> Result<bool> {
    if app::get(tx, new.app)?.over(due) {
        return Err(invalid_client());
    }
    if device_code::count_pending(tx, new.app, new.address, due)? >= MAX_PENDING {
        let detail = format!("{MAX_PENDING} codes for your address wait to be typed already");
        let first = device_code::first_pending(tx, new.app, new.address, due)?.unwrap_or(due);
        return Err(Error::retry(
            Code::Throttled,
            first.since(due).as_millis().div_ceil(1000).max(1) as u64,
            detail,
        ));
    }
    if device_code::find_typed(tx, hashes)?.is_some() {
        return Ok(false);
    }
    device_code::insert(tx, new, now)
}

/// A device that waits for somebody to decide, as it is shown to them.
#[derive(Debug)]
pub struct Waiting {
    pub app: String,
    pub scope: Scopes,
    /// Where it asked from, and how long ago.
    pub address: String,
    pub age: Duration,
    pub asked: Asked,
}

/// The device that shows this code, perhaps only one that asked for it from `within` a network.
/// Codes that are unknown, expired and used are one refusal.
pub async fn look_up(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    within: Option<Network>,
    due: Timestamp,
) -> Result<Waiting> {
    let (caller, code) = (live.caller, core.keys.ring().hashes(code));
    core.read_as(caller, move |tx| {
        let (found, app) = pending(tx, &code, due)?;
        let asked_from = || {
            found
                .address
                .parse()
                .ok()
                .map(|address| Network::of(address).widest())
        };
        if within.is_some() && within != asked_from() {
            return Err(no_such_code());
        }
        let age = due.since(found.expires_at.minus(LIFE));
        let asked = Asked::of(tx, caller)?;
        Ok(Waiting {
            app: app.name,
            scope: found.scope,
            address: found.address,
            age,
            asked,
        })
    })
    .await
}

/// Lets the device that shows this code join the caller's session, confined to some channels or
/// not, if there is a place for it.
pub async fn approve(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    res: Option<Vec<ChannelName>>,
    now: Timestamp,
    due: Timestamp,
) -> Result<()> {
    let (caller, code, max) = (
        live.caller,
        core.keys.ring().hashes(code),
        core.limits.max_clients,
    );
    core.write_as(caller, Priority::Entry, move |tx| {
        let (found, app) = pending(tx, &code, due)?;
        if found.scope.need_client() {
            approval::require_place(tx, caller.session, max, due)?;
        }
        device_code::decide(
            tx,
            found.user_code,
            &Decision::Approved {
                session: caller.session,
                client: caller.client,
                res: res.clone(),
            },
            found.expires_at.plus(APPROVED),
        )?;
        audit::record(tx, Action::DeviceApproved, &decided_by(caller, &app), now)
    })
    .await
}

/// Refuses the device that shows this code.
pub async fn deny(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    now: Timestamp,
    due: Timestamp,
) -> Result<()> {
    let (caller, code) = (live.caller, core.keys.ring().hashes(code));
    core.write_as(caller, Priority::Essential, move |tx| {
        let (found, app) = pending(tx, &code, due)?;
        device_code::decide(tx, found.user_code, &Decision::Denied, found.expires_at)?;
        audit::record(tx, Action::DeviceDenied, &decided_by(caller, &app), now)
    })
    .await
}

fn pending(tx: &Read, code: &[UserCodeHash], due: Timestamp) -> Result<(DeviceCode, App)> {
    let found = device_code::find_typed(tx, code)?;
    let found = found
        .filter(|code| code.decision.is_none() && due < code.expires_at)
        .ok_or_else(no_such_code)?;
    let app = app::get(tx, found.app)?;
    if app.over(due) {
        Err(no_such_code())
    } else {
        Ok((found, app))
    }
}

fn decided_by(caller: Caller, app: &App) -> Subject {
    Subject {
        session: Some(caller.session),
        client: Some(caller.client),
        ..app.subject()
    }
}

/// No device that waits shows this code.
pub fn no_such_code() -> Error {
    Error::new(Code::NotFound, "no device that waits shows this code")
}

/// Issues tokens for a device code that was approved, once, or says why not (yet).
pub async fn issue(core: &Core, request: TokenRequest, presented: SecretHash) -> Result<Issued> {
    tokens::issue(core, request, move |tx, app, mint| {
        redeem(tx, app, mint, presented)
    })
    .await
}

fn redeem(tx: &Write, app: &App, mint: &Mint, presented: SecretHash) -> Result<tokens::Decision> {
    require_flow(app)?;
    let code = device_code::find(tx, presented)?
        .filter(|code| code.app == app.id)
        .ok_or_else(invalid_grant)?;
    match code.decision {
        Some(Decision::Denied) => Err(Error::new(
            Code::AccessDenied,
            "whoever was asked has denied it",
        )),
        _ if mint.due >= code.expires_at => Err(Error::new(
            Code::ExpiredToken,
            "the code was not approved in time",
        )),
        // What is recorded must stay, so the transaction itself succeeds.
        None => poll(tx, &code, presented, mint.due).map(Err),
        Some(Decision::Approved { session, res, .. }) => {
            device_code::remove(tx, presented)?;
            let limit_at = mint.due.plus(GRANT_LIFE);
            let new = NewGrant {
                session: Some(session),
                scope: code.scope,
                res,
                limit_at: Some(limit_at),
            };
            let grant = mint.begin(tx, app, session, &new)?;
            mint.pair(tx, &grant, code.scope, code.scope, limit_at)
                .map(Ok)
        }
    }
}

/// Notes a poll that comes before anything is decided. One that comes too early makes every later
/// one wait longer.
fn poll(tx: &Write, code: &DeviceCode, presented: SecretHash, due: Timestamp) -> Result<Error> {
    let wait = code.interval.saturating_sub(EARLY);
    let too_early = code
        .polled_at
        .is_some_and(|last| (last..last.plus(wait)).contains(&due));
    let interval = if too_early {
        code.interval + SLOWER
    } else {
        code.interval
    };
    device_code::note_poll(tx, presented, interval, due)?;
    Ok(if too_early {
        Error::new(
            Code::SlowDown,
            format!("wait {} seconds between two requests", interval.as_secs()),
        )
    } else {
        Error::new(Code::AuthorizationPending, "nobody has decided yet")
    })
}
