//! Op passes on, so that no channel is stuck: when the last op goes, another member becomes op in
//! the same transaction.

use crate::{
    error::Result,
    model::{ChannelId, EventId, SERVER_NAME, SessionId, Timestamp},
    store::{Read, Write, ban, channel, log, membership, session, session_mask::Masked},
};

/// How many times a member is tried on a ban, at most, to find the next op: the writer does it, and
/// some have thousands of members and a hundred bans.
const TRIALS: usize = 20_000;

/// Makes another member op, if the channel has none: the voiced member who has been there longest,
/// or else the member who has been there longest among those whom no ban matches. If bans match all
/// of them, or all of those that have been there longest and are looked at, the channel stays
/// without an op until a session that no ban matches joins it or changes its nick (see
/// [`consider`]).
pub fn pass_on(tx: &Write, channel: ChannelId, now: Timestamp) -> Result<()> {
    if membership::has_op(tx, channel)? {
        return Ok(());
    }
    match successor(tx, channel)? {
        Some(next) => give_op(tx, channel, next, now).map(drop),
        None => Ok(()),
    }
}

/// Makes a session op of a channel that has no op, unless a ban matches it. It is called for a
/// session that joins or that changes its nick: of the other members of such a channel it is known,
/// as far as they are looked at, that bans match them.
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

/// Makes a member op in the server's name, and tells the channel.
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

/// Gives an op to the channels of a database that was written before op passed on. It runs before
/// there is anyone to tell: those who come back read of it in their queues.
pub fn heal(tx: &Write, now: Timestamp) -> Result<()> {
    channel::without_op(tx)?
        .into_iter()
        .try_for_each(|channel| pass_on(tx, channel, now))
}
