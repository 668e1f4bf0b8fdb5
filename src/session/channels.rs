//! Creating and joining channels, and opening their history to later members. Leaving is in
//! `lifecycle`.

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

/// Creates a channel. Its first member joins it in the same transaction.
pub fn make(tx: &Write, name: &ChannelName, modes: Modes, now: Timestamp) -> Result<Channel> {
    channel::insert(tx, target::insert(tx)?, name, modes, now)
}

/// Adds a session to a channel with its JOIN event, which the session receives too. Returns the id
/// of the event.
pub fn join(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    op: bool,
    join: NewEvent,
) -> Result<EventId> {
    // The hub must know the new member before the JOIN, or it would not push the JOIN to that
    // member.
    tx.effect(Effect::Joined { session, channel });
    let since = log::append(tx, join, &[channel.into()])?;
    membership::insert(tx, session, channel, since, op)?;
    Ok(since)
}

/// Opens a channel's history to later members, from the event `since` on.
pub fn open_history(tx: &Write, channel: ChannelId, since: EventId) -> Result<()> {
    if channel_history::open(tx, channel, since)? {
        sweep::note(tx, channel.into())?;
    }
    Ok(())
}
