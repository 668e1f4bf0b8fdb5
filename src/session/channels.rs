//! A session's channels: made, joined, and whether their history is open to later members. Leaving
//! them is in `lifecycle`.

use crate::{
    error::Result,
    irc::mode::Modes,
    model::{ChannelId, ChannelName, EventId, SessionId, Timestamp},
    store::{
        Effect, Write,
        channel::{self, Channel},
        channel_history,
        log::{self, NewEvent},
        membership, sweep, target,
    },
};

/// Makes a channel, which its first member joins in the same transaction.
pub fn make(tx: &Write, name: &ChannelName, modes: Modes, now: Timestamp) -> Result<Channel> {
    channel::insert(tx, target::insert(tx)?, name, modes, now)
}

/// Puts a session on a channel by the event `join`, which it receives itself.
pub fn join(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    op: bool,
    join: NewEvent,
) -> Result<EventId> {
    // First of all the hub counts it among the members, or its own JOIN would pass it by.
    tx.effect(Effect::Joined { session, channel });
    let since = log::append(tx, join, &[channel.into()])?;
    membership::insert(tx, session, channel, since, op)?;
    Ok(since)
}

/// Opens a channel's history to later members, from an event on.
pub fn open_history(tx: &Write, channel: ChannelId, since: EventId) -> Result<()> {
    if channel_history::open(tx, channel, since)? {
        sweep::note(tx, channel.into())?;
    }
    Ok(())
}
