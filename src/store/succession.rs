//! Op passes on, so that no channel is stuck: when the last op goes, another member becomes op in
//! the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Read, Write, as_sql, ban, channel, log, member, session, session_mask::Masked};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SERVER_NAME, SessionId, Timestamp},
};

/// How many times a member is tried on a ban, at most, to find the next op: the writer does it, and
/// some have thousands of members and a hundred bans.
const TRIALS: usize = 20_000;

/// Makes another member op, if the channel has none: the voiced member who has been there longest,
/// or else the member who has been there longest among those whom no ban matches. If bans match all
/// of them, or all of those that have been there longest and are looked at, the channel stays
/// without an op until a session that no ban matches joins it or changes its nick (see
/// [`consider`]).
pub(super) fn pass_on(tx: &Write, channel: ChannelId, now: Timestamp) -> Result<()> {
    if member::has_op(tx, channel)? {
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
    if !member::has_op(tx, channel)? && !ban::matches(tx, channel, &session::get(tx, session)?)? {
        give_op(tx, channel, session, now)?;
    }
    Ok(())
}

fn successor(tx: &Read, channel: ChannelId) -> Result<Option<SessionId>> {
    let voiced = tx
        .sql
        .prepare_cached(
            "SELECT session_id FROM membership WHERE channel_id = ?1 AND until IS NULL AND voice ORDER BY since LIMIT 1",
        )?
        .query_row([channel], |row| row.get(0))
        .optional()?;
    if voiced.is_some() {
        return Ok(voiced);
    }
    let bans = ban::list(tx, channel)?;
    let mut by_stay = tx.sql.prepare_cached(
        "SELECT session_id FROM membership WHERE channel_id = ?1 AND until IS NULL ORDER BY since LIMIT ?2",
    )?;
    let mut rows = by_stay.query(params![channel, as_sql(TRIALS / bans.len().max(1))])?;
    while let Some(row) = rows.next()? {
        let session = session::get(tx, row.get(0)?)?;
        let masked = Masked::new(&session);
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
    member::set_op(tx, channel, session, true)?;
    let draft = log::Draft {
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
    log::append(tx, draft, &[channel.into()])
}

/// Gives an op to the channels of a database that was written before op passed on. It runs before
/// there is anyone to tell: whoever comes back reads of it in the queue.
pub(super) fn heal(connection: &Connection, now: Timestamp) -> Result<()> {
    let transaction = connection.unchecked_transaction()?;
    let tx = Write::new(&transaction);
    let without_op = tx.sql.prepare(
        "SELECT id FROM channel WHERE ended_at IS NULL AND NOT EXISTS
             (SELECT 1 FROM membership WHERE channel_id = channel.id AND until IS NULL AND op)",
    )?;
    let ids = { without_op }
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    ids.into_iter()
        .try_for_each(|channel| pass_on(&tx, channel, now))?;
    Ok(transaction.commit()?)
}
