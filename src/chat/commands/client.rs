//! Commands about the client itself: ACK, PING, QUIT.

use crate::{
    chat::commands::{
        context::CommandContext,
        replies::{SHORT_BYTES, TEXT_BYTES},
    },
    error::Result,
    irc::{
        Reply,
        verbs::client::{Change, Query},
    },
    model::{EndReason, EventId, SERVER_NAME, Scope},
    session::lifecycle::{self, QuitMessage},
    store::{Read, log},
};

/// Carries out a change.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Quit(reason) => quit(context, reason.as_deref()),
    }
}

/// The most bytes of the answer to a change.
pub fn longest_answer(change: &Change) -> usize {
    match change {
        Change::Quit(_) => SHORT_BYTES,
    }
}

/// Answers a query.
pub fn query(tx: &Read, query: &Query) -> Result<Vec<Reply>> {
    match query {
        Query::Ack(id) => acknowledge(tx, *id),
        Query::Ping(token) => Ok(vec![Reply::command("PONG", &[&SERVER_NAME, token])]),
    }
}

/// The most bytes of the answer to a query.
pub fn longest_query_answer(query: &Query) -> usize {
    match query {
        Query::Ack(_) => SHORT_BYTES,
        Query::Ping(_) => TEXT_BYTES,
    }
}

/// ACK: checks the position. The cursor itself moves in memory, after the answer is certain. It
/// fails with `invalid_cursor`.
fn acknowledge(tx: &Read, id: EventId) -> Result<Vec<Reply>> {
    log::require_issued(tx, id)?;
    Ok(Vec::new())
}

/// QUIT: this client leaves. Other sessions are told only if it was the session's last device.
fn quit(context: &mut CommandContext, reason: Option<&str>) -> Result<()> {
    let caller = context.caller;
    // Every channel of the session would see the message. A client that may not write to all of
    // them leaves without a message.
    let may_speak = caller.scope().allow(Scope::ChatWrite) && !caller.is_confined();
    let words = reason.filter(|_| may_speak).map(|text| QuitMessage {
        text,
        app: context.app().map(str::to_owned),
    });
    let ended = lifecycle::end_client(
        context.tx,
        caller.session,
        caller.client,
        EndReason::Quit,
        words,
        context.now,
    )?;
    context.answer.ids.extend(ended);
    Ok(())
}
