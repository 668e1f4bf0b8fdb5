//! The flood limit: what the clients and keys of a session send counts together, by commands and by bytes as stored.

use std::time::Duration;

use super::{Shared, address::Address};
use crate::{
    audit::{Limit, Subject},
    chat::{Answer, callers::Live},
    config::FloodLimit,
    error::Result,
    irc::{Command, Message},
    limits::{Rate, Throttle, Wait},
    model::{Caller, SessionId, Timestamp},
};

/// Bytes that a session may add at once, and as many seconds until one more.
const BYTES: Rate = Rate { burst: 64 * 1024, every: Duration::from_nanos(1_000_000_000 / 4096) };
/// About as many bytes as an event takes beside its text.
const EVENT: u64 = 256;

/// What the sessions have sent of late.
pub struct Flood {
    commands: Throttle<SessionId>,
    bytes: Throttle<SessionId>,
}

impl Flood {
    pub fn new(FloodLimit(commands): FloodLimit) -> Self {
        Self { commands: Throttle::new(commands), bytes: Throttle::new(commands.map(|_| BYTES)) }
    }
}

/// Charges a session for a command, good or bad, by its lines.
pub async fn charge(app: &Shared, live: &Live, address: &Address, lines: usize, now: Timestamp) -> Result<()> {
    let session = live.caller.session;
    let charged = app.flood.commands.charge(session, lines as u64, app.clock.steady());
    checked(app, live, address, now, Limit::Commands, charged).await?;
    app.metrics.command();
    Ok(())
}

/// Charges a session for what a command is about to add, lets it be carried out, and settles the account by what it added. What
/// adds nothing passes in any case.
pub async fn carry_out(
    app: &Shared,
    live: &Live,
    address: &Address,
    now: Timestamp,
    message: &Message,
    attempt: impl Future<Output = Result<Answer>>,
) -> Result<Answer> {
    let (session, expected) = (live.caller.session, expected(message));
    if expected > 0 {
        let charged = app.flood.bytes.charge(session, expected, app.clock.steady());
        checked(app, live, address, now, Limit::Bytes, charged).await?;
    }
    let result = attempt.await;
    let added = result.as_ref().map_or(0, |answer| answer.added);
    match added.checked_sub(expected) {
        Some(more) => app.flood.bytes.take(session, more, app.clock.steady()),
        None => app.flood.bytes.refund(&session, expected - added),
    }
    result
}

/// About how many bytes a command adds to the disk.
fn expected(message: &Message) -> u64 {
    // One that cannot be read is refused for that.
    let (events, text) = Command::parse(message).map_or((0, 0), |(_, command)| command.size());
    events as u64 * (EVENT + text as u64)
}

async fn checked(
    app: &Shared,
    live: &Live,
    address: &Address,
    now: Timestamp,
    limit: Limit,
    charged: Result<(), Wait>,
) -> Result<()> {
    let Err(wait) = charged else { return Ok(()) };
    if wait.first {
        let Caller { session, client, .. } = live.caller;
        let subject = Subject { session: Some(session), client: Some(client), ..address.subject() };
        app.chat.throttled(limit, subject, &address.arrival(app, now)).await;
    }
    Err(wait.into())
}
