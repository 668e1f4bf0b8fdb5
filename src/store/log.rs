//! The log: every event once, and where it is addressed. Appending and loading; what is read of it
//! is in `queue`, `history` and `unread`.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::{
    effect::Effect,
    row,
    size::length,
    texts,
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::{ChannelId, ClientId, Event, EventId, SessionId, TargetId, Timestamp, Words},
};

/// The client whose command an event comes from, if it comes from one, and that command's label.
pub type Origin = Option<(ClientId, Option<String>)>;

/// An event about to happen.
pub struct NewEvent<'a> {
    /// The time by the clock.
    pub time: Timestamp,
    pub source: &'a str,
    pub command: &'a str,
    pub params: Vec<String>,
    pub origin: Origin,
    /// The name of the app through whose grant it comes.
    pub app: Option<String>,
    /// Of a message (PRIVMSG, NOTICE): who sends it, and where to.
    pub message: Option<(SessionId, Recipient)>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Session(SessionId),
    Channel(ChannelId),
    /// To a session that silences the sender, and is never shown it. To the sender it is a message
    /// like any other.
    Silencing(SessionId),
}

/// Appends an event and addresses it, once per target.
pub fn append(tx: &Write, new: NewEvent, targets: &[TargetId]) -> Result<EventId> {
    let NewEvent {
        time: clock,
        source,
        command,
        params,
        origin,
        app,
        message,
    } = new;
    let time = next_time(tx, clock)?;
    let mut targets = targets.to_vec();
    targets.sort();
    targets.dedup();
    let (client, label) = match &origin {
        Some((client, label)) => (Some(*client), label.as_deref()),
        None => (None, None),
    };
    let (recipient, channel, silenced_by) = match message {
        Some((_, Recipient::Session(session))) => (Some(session), None, None),
        Some((_, Recipient::Channel(channel))) => (None, Some(channel), None),
        Some((_, Recipient::Silencing(session))) => (None, None, Some(session)),
        None => (None, None, None),
    };
    let others = match message {
        Some((sender, Recipient::Channel(channel))) => Some(last_of_others(tx, channel, sender)?),
        _ => None,
    };
    let words = message.and(params.get(1)).map(|text| Words::of(text));
    let (params_column, targets_column) = (
        texts::join(params.iter().map(String::as_str))?,
        row::to_json(&targets)?,
    );
    let lengths = [
        source.len(),
        command.len(),
        params_column.len(),
        targets_column.len(),
        label.map_or(0, str::len),
    ];
    // What tells of unread messages takes as much as two entries of the others.
    let entries = targets.len() + if words.is_some() { 2 } else { 1 };
    tx.add_row(
        lengths.iter().sum::<usize>() + length(app.as_ref()) + words.map_or(0, |_| 8),
        entries,
    );
    let id = tx
        .sql
        .prepare_cached(
            "INSERT INTO event (time, source, command, params, targets, sender, recipient, client_id, label, app, channel, others,
                                silenced_by, clock, words)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             RETURNING id",
        )?
        .query_row(params![
            time,
            source,
            command,
            params_column,
            targets_column,
            message.map(|(sender, _)| sender),
            recipient,
            client,
            label,
            app,
            channel,
            others,
            silenced_by,
            (clock != time).then_some(clock),
            words,
        ], |row| row.get(0))?;
    let mut address = tx
        .sql
        .prepare_cached("INSERT INTO address (target_id, event_id) VALUES (?1, ?2)")?;
    for target in &targets {
        address.execute(params![target, id])?;
    }
    let event = Event {
        id,
        time,
        source: source.into(),
        command: command.into(),
        params,
        origin,
        app,
    };
    tx.effect(Effect::Logged {
        event: Arc::new(event),
        targets,
    });
    Ok(id)
}

/// The time of the next event: the clock's, or that of the last event ever if the clock has gone
/// back since. Times never decrease as ids increase.
fn next_time(tx: &Write, clock: Timestamp) -> Result<Timestamp> {
    let last = tx
        .sql
        .prepare_cached("SELECT time FROM log")?
        .query_row([], |row| row.get(0))?;
    if clock > last {
        tx.sql
            .prepare_cached("UPDATE log SET time = ?1")?
            .execute([clock])?;
    }
    Ok(last.max(clock))
}

/// The last message on a channel that another session than `me` sent; 0: there is none.
fn last_of_others(tx: &Read, channel: ChannelId, me: SessionId) -> Result<EventId> {
    let last = tx.sql.prepare_cached(
        "SELECT id, sender, others FROM event WHERE channel = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let last = { last }.query_row([channel], |row| {
        let sender: SessionId = row.get(1)?;
        row.get(if sender == me { 2 } else { 0 })
    });
    Ok(last.optional()?.unwrap_or(EventId(0)))
}

/// What an event is addressed to.
pub fn targets_of(tx: &Read, id: EventId) -> Result<Vec<TargetId>> {
    let mut targets = tx
        .sql
        .prepare_cached("SELECT targets FROM event WHERE id = ?1")?;
    Ok(targets.query_row([id], |row| row::from_json(row.get_ref(0)?.as_str()?))?)
}

/// The log's position: the id of the last event ever appended, whether or not retention has removed
/// it.
pub fn head(tx: &Read) -> Result<EventId> {
    let head = tx
        .sql
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'event'")?;
    let head = { head }.query_row([], |row| row.get(0)).optional()?;
    Ok(EventId(head.unwrap_or(0)))
}

/// Refuses an id that no event has had yet.
pub fn require_issued(tx: &Read, id: EventId) -> Result<()> {
    if id > head(tx)? {
        return Err(Error::new(
            Code::InvalidCursor,
            "no event has had this id yet",
        ));
    }
    Ok(())
}

/// The events with these ids, in this order, up to the one that reaches so many bytes.
pub fn load(tx: &Read, ids: &[EventId], most: usize) -> Result<Vec<Event>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT id, time, source, command, params, client_id, label, app FROM event WHERE id = ?1",
    )?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    for id in ids {
        if bytes >= most {
            break;
        }
        events.push(statement.query_row([id], |row| {
            let client: Option<ClientId> = row.get("client_id")?;
            let label = row.get("label")?;
            let params = row.get_ref("params")?.as_str()?;
            bytes += texts::rendered_length(params);
            Ok(Event {
                id: row.get("id")?,
                time: row.get("time")?,
                source: row.get("source")?,
                command: row.get("command")?,
                params: texts::split(params).map(str::to_owned).collect(),
                origin: client.map(|client| (client, label)),
                app: row.get("app")?,
            })
        })?);
    }
    Ok(events)
}

/// Removes an event and what addresses it.
pub fn remove(tx: &Write, event: EventId, targets: &[TargetId]) -> Result<()> {
    for target in targets {
        unaddress(tx, event, *target)?;
    }
    tx.sql
        .prepare_cached("DELETE FROM event WHERE id = ?1")?
        .execute([event])?;
    Ok(())
}

/// Takes an event from one of its targets.
pub fn unaddress(tx: &Write, event: EventId, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM address WHERE target_id = ?1 AND event_id = ?2")?
        .execute(params![target, event])?;
    Ok(())
}
