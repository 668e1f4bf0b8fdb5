//! Charges sessions for the commands that they send and for the bytes that these add.

use crate::{
    audit::{Limit, Subject},
    chat::Answer,
    error::Result,
    http::{extract::address::Address, middleware::flood_limit::Cost, state::ServerState},
    limits::Wait,
    model::Caller,
    session::LiveClient,
};

/// Charges a session for a command, whether or not it succeeds, as this many commands. Fails with
/// `throttled`.
pub async fn charge(
    server: &ServerState,
    live: &LiveClient,
    address: &Address,
    commands: usize,
) -> Result<()> {
    let session = live.caller.session;
    let charged =
        server
            .flood_limits
            .commands
            .charge(session, commands as u64, server.clock.steady());
    checked(server, live, address, Limit::Commands, charged).await?;
    server.metrics.command();
    Ok(())
}

/// Charges a session for the bytes that a command is expected to add, runs the command, and then
/// corrects the charge to what it added. A command that adds nothing always passes. Fails with
/// `throttled`, or as the command does.
pub async fn carry_out(
    server: &ServerState,
    live: &LiveClient,
    address: &Address,
    Cost {
        bytes: expected, ..
    }: Cost,
    attempt: impl Future<Output = Result<Answer>>,
) -> Result<Answer> {
    let session = live.caller.session;
    if expected > 0 {
        let charged = server
            .flood_limits
            .bytes
            .charge(session, expected, server.clock.steady());
        checked(server, live, address, Limit::Bytes, charged).await?;
    }
    let result = attempt.await;
    let added = result.as_ref().map_or(0, |answer| answer.added);
    match added.checked_sub(expected) {
        Some(more) => server
            .flood_limits
            .bytes
            .take(session, more, server.clock.steady()),
        None => server.flood_limits.bytes.refund(&session, expected - added),
    }
    result
}

async fn checked(
    server: &ServerState,
    live: &LiveClient,
    address: &Address,
    limit: Limit,
    charged: Result<(), Wait>,
) -> Result<()> {
    let Err(wait) = charged else { return Ok(()) };
    if wait.first {
        let Caller {
            session, client, ..
        } = live.caller;
        let subject = Subject {
            session: Some(session),
            client: Some(client),
            ..address.subject()
        };
        server
            .core
            .throttled(limit, subject, &address.arrival())
            .await;
    }
    Err(wait.into())
}
