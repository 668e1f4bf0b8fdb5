//! The device flow (RFC 8628), for a device that has no browser. The device shows a code and polls.
//! The user types the code on a device that is in the session and approves.

use std::{net::IpAddr, time::Duration};

use super::{
    Credentials, access_denied,
    approval::{self, Asked},
    authenticate, invalid_client, invalid_grant,
    mint::{self, GRANT_LIFE, Mint},
    tokens::{self, Issued, TokenRequest},
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Caller, ChannelName, Moment, Network, Scopes, Timestamp},
    secret::{Kind, Secret, SecretHash, UserCode, UserCodeHash},
    session::{Core, LiveClient},
    store::{
        Priority, Read, Write,
        app::{self, App},
        app_grant::Terms,
        audit,
        device_code::{self, Decision, DeviceCode, NewDeviceCode},
    },
};

/// The lifetime of a code.
pub const LIFE: Duration = Duration::from_mins(10);
/// How much longer an approved code works. The device's next poll may come just after the code
/// would have expired.
const APPROVED: Duration = Duration::from_mins(1);
/// The shortest time between two polls.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How much too early a poll may come, because networks and timers are imprecise.
const EARLY: Duration = Duration::from_secs(1);
/// How much the interval grows after each poll that came too early (RFC 8628 §3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// The most undecided codes of one app that one address may have.
const MAX_PENDING: i64 = 50;
/// How many user codes are drawn until one is free. With a million codes in use, a second draw is
/// needed once in 25,000 times.
const DRAWN: usize = 4;

/// A device's request for codes.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    /// The app that runs on the device.
    pub credentials: Credentials,
    /// The scope. `None`: everything the app may do except manage the session.
    pub scope: Option<Scopes>,
    /// The device's address.
    pub address: IpAddr,
    /// When it asks.
    pub at: Moment,
}

/// The codes of one device (RFC 8628 §3.2).
#[derive(Debug)]
pub struct DeviceAuthorization {
    /// The secret that the device polls with.
    pub device_code: Secret,
    /// The code that the device shows and the user types.
    pub user_code: UserCode,
}

/// Gives a device its codes (RFC 8628 §3.2). Only the operator's apps use this flow: an API key
/// already has a session. Fails with `invalid_client`, `unauthorized_client`, `invalid_scope`, or
/// `throttled` if the address has too many undecided codes.
pub async fn authorize(core: &Core, request: DeviceRequest) -> Result<DeviceAuthorization> {
    let DeviceRequest {
        credentials,
        scope,
        address,
        at,
    } = request;
    let due = at.due;
    let app = authenticate(core, credentials, at).await?;
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
            .write_as(Priority::Entry, move |tx| insert(tx, &new, &hashes, at))
            .await?
        {
            return Ok(DeviceAuthorization {
                device_code,
                user_code,
            });
        }
    }
    Err(Error::internal("no unused user code was found"))
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

/// Inserts a code. Returns false if its user code is in use under any of the keys.
fn insert(
    tx: &Write,
    new: &NewDeviceCode,
    hashes: &[UserCodeHash],
    Moment { now, due }: Moment,
) -> Result<bool> {
    if app::get(tx, new.app)?.is_ended_or_due(due) {
        return Err(invalid_client());
    }
    if device_code::count_pending(tx, new.app, new.address, due)? >= MAX_PENDING {
        let detail = format!(
            "your address already has {MAX_PENDING} device codes that wait for a \
             user; try again when one expires"
        );
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

/// An undecided device, as it is shown to the user.
#[derive(Debug)]
pub struct Waiting {
    /// The app's name.
    pub app: String,
    /// The scope that it asks for.
    pub scope: Scopes,
    /// The address that the device asked from.
    pub address: String,
    /// How long ago the device asked.
    pub age: Duration,
    /// The session that would be joined.
    pub asked: Asked,
}

/// Finds the undecided device that shows this code. With `within`, the device must have asked from
/// that network. Unknown, expired and used codes get the same refusal, `not_found`.
pub async fn look_up(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    within: Option<Network>,
    Moment { due, .. }: Moment,
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

/// Lets the device that shows this code join the caller's session, confined to `res` if it is
/// given. Fails with `not_found`, or with `too_many_clients` if the session has no room.
pub async fn approve(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    res: Option<Vec<ChannelName>>,
    Moment { now, due }: Moment,
) -> Result<()> {
    let (caller, code, max) = (
        live.caller,
        core.keys.ring().hashes(code),
        core.limits.max_clients,
    );
    core.write_as(caller, Priority::Entry, move |tx| {
        let (found, app) = pending(tx, &code, due)?;
        if found.scope.need_client() {
            approval::require_room(tx, caller.session, max, due)?;
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

/// Refuses the device that shows this code. Fails with `not_found` if there is none.
pub async fn deny(
    core: &Core,
    live: &LiveClient,
    code: &UserCode,
    Moment { now, due }: Moment,
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
    if app.is_ended_or_due(due) {
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

/// The refusal of a code that no undecided device shows.
pub fn no_such_code() -> Error {
    Error::new(Code::NotFound, "no device is waiting with this code")
}

/// Issues tokens for an approved device code. A code works once. Fails with
/// `authorization_pending`, `slow_down`, `access_denied`, `expired_token` or `invalid_grant` (RFC
/// 8628 §3.5).
pub async fn issue(core: &Core, request: TokenRequest, presented: SecretHash) -> Result<Issued> {
    tokens::issue(core, request, move |tx, app, mint| {
        redeem(tx, app, mint, presented)
    })
    .await
}

fn redeem(tx: &Write, app: &App, mint: &Mint, presented: SecretHash) -> Result<mint::Decision> {
    require_flow(app)?;
    let code = device_code::find(tx, presented)?
        .filter(|code| code.app == app.id)
        .ok_or_else(invalid_grant)?;
    match code.decision {
        Some(Decision::Denied) => Err(access_denied()),
        _ if mint.at.due >= code.expires_at => Err(Error::new(
            Code::ExpiredToken,
            "the code was not approved in time",
        )),
        // An error would roll back what was recorded, so the transaction succeeds with a refusal.
        None => poll(tx, &code, presented, mint.at.due).map(Err),
        Some(Decision::Approved { session, res, .. }) => {
            device_code::remove(tx, presented)?;
            let limit_at = mint.at.due.plus(GRANT_LIFE);
            let terms = Terms {
                session,
                res,
                limit_at: Some(limit_at),
            };
            let grant = mint.begin(tx, app, code.scope, terms)?;
            mint.pair(tx, &grant, code.scope, code.scope, limit_at)
                .map(Ok)
        }
    }
}

/// Notes a poll before the decision. A poll that comes too early lengthens the interval.
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
            format!(
                "wait at least {} seconds between two requests",
                interval.as_secs()
            ),
        )
    } else {
        Error::new(Code::AuthorizationPending, "the user has not decided yet")
    })
}
