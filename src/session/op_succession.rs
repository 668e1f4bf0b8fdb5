//! Op succession: when the last op of a channel leaves, another member becomes op in the same
//! transaction, so that no channel stays without one.

use crate::{
    error::Result,
    model::{ChannelId, EventId, SERVER_NAME, SessionId, Timestamp},
    store::{Read, Write, ban, channel, log, membership, session, session_mask::Masked},
};

/// How many times, at most, a member is matched against a ban to find the next op. The writer does
/// this, and a channel can have thousands of members and a hundred bans.
const TRIALS: usize = 20_000;

/// Makes another member op if the channel has none: the voiced member who has been there longest,
/// or else the longest-standing member whom no ban matches.
///
/// If bans match every member that was looked at, the channel stays without an op. Then the next
/// session that no ban matches becomes op when it joins or changes its nick (see [`consider`]).
pub fn pass_on(tx: &Write, channel: ChannelId, now: Timestamp) -> Result<()> {
    if membership::has_op(tx, channel)? {
        return Ok(());
    }
    match successor(tx, channel)? {
        Some(next) => give_op(tx, channel, next, now).map(drop),
        None => Ok(()),
    }
}

/// Makes a session op of a channel that has none, unless a ban matches it. It is called for a
/// session that joins or changes its nick. The other members were looked at before, by [`pass_on`].
pub fn consider(tx: &Write, channel: ChannelId, session: SessionId, now: Timestamp) -> Result<()> {
    if !membership::has_op(tx, channel)? && !ban::matches(tx, channel, &session::get(tx, session)?)?
    {
        give_op(tx, channel, session, now)?;
    }
    Ok(())
}

fn successor(tx: &Read, channel: ChannelId) -> Result<Option<SessionId>> {
    if let Some(voiced) = membership::first_voiced(tx, channel)? {
        return Ok(Some(voiced));
    }
    let bans = ban::list(tx, channel)?;
    for session in membership::longest(tx, channel, TRIALS / bans.len().max(1))? {
        let session = session::get(tx, session)?;
        let masked = Masked::new(session.id, session.mask());
        if !bans.iter().any(|ban| masked.fits(&ban.mask)) {
            return Ok(Some(session.id));
        }
    }
    Ok(None)
}

/// Makes a member op in the server's name, and tells the channel. Returns the id of the MODE event.
pub fn give_op(
    tx: &Write,
    channel: ChannelId,
    session: SessionId,
    now: Timestamp,
) -> Result<EventId> {
    membership::set_op(tx, channel, session, true)?;
    let mode = log::NewEvent {
        time: now,
        source: SERVER_NAME,
        command: "MODE",
        params: vec![
            channel::name(tx, channel)?,
            "+o".into(),
            session::get(tx, session)?.nick.to_string(),
        ],
        origin: None,
        app: None,
        message: None,
    };
    log::append(tx, mode, &[channel.into()])
}

/// Gives an op to each channel without one, in a database that was written before op succession
/// existed. It runs before any client is connected; members read of it in their queues.
pub fn heal(tx: &Write, now: Timestamp) -> Result<()> {
    channel::without_op(tx)?
        .into_iter()
        .try_for_each(|channel| pass_on(tx, channel, now))
}
