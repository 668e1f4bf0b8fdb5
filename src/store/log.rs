//! The log: every event once, and what it is addressed to. This file appends and loads events;
//! `queue`, `history` and `unread` read them.

use std::sync::Arc;

use super::{
    effect::Effect,
    engine::{
        connection::Row,
        value::{ToColumn, params},
    },
    row,
    size::length,
    texts,
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::{
        ChannelId, ClientId, Event, EventId, RevocationId, SessionId, TargetId, Timestamp, Words,
    },
};

/// The client whose command caused an event, and that command's label.
pub type Origin = Option<(ClientId, Option<String>)>;

/// An event that is about to be appended.
pub struct NewEvent<'a> {
    /// The time by the clock.
    pub time: Timestamp,
    /// Its source as on the wire: `nick!user@host`, or the server's name.
    pub source: &'a str,
    /// Its command, such as `PRIVMSG`.
    pub command: &'a str,
    /// Its parameters. A message's text is the second one.
    pub params: Vec<String>,
    /// The client whose command caused it. `None`: no client did.
    pub origin: Origin,
    /// The name of the app through whose grant it was caused.
    pub app: Option<String>,
    /// For a message (PRIVMSG, NOTICE): its sender and its recipient.
    pub message: Option<(SessionId, Recipient)>,
}

/// The recipient of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A session, which receives the message.
    Session(SessionId),
    /// A channel, whose members receive the message.
    Channel(ChannelId),
    /// A session that silences the sender and is never shown the message. To the sender it looks
    /// like any other message.
    Silencing(SessionId),
}

/// Appends an event and addresses it to its targets, once to each. Returns its id.
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
    let (id, time) = next(tx, clock)?;
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
    // The columns that count unread messages take as much as two more index entries.
    let entries = targets.len() + if words.is_some() { 2 } else { 1 };
    tx.add_row(
        lengths.iter().sum::<usize>() + length(app.as_ref()) + words.map_or(0, |_| 8),
        entries,
    );
    tx.execute(
        "INSERT INTO event (id, time, source, command, params, targets, sender, recipient,
             client_id, label, app, channel, others, silenced_by, clock, words)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        params![
            id,
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
        ],
    )?;
    tx.execute_each(
        "INSERT INTO address (target_id, event_id) VALUES (?1, ?2)",
        targets
            .iter()
            .map(|target| [target.to_column(), id.to_column()]),
    )?;
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

/// Takes the id and the time of the next event. The time is the clock's, or that of the last event
/// if the clock has gone back since. Times therefore never decrease as ids increase.
fn next(tx: &Write, clock: Timestamp) -> Result<(EventId, Timestamp)> {
    tx.one(
        "UPDATE log SET head = head + 1, time = CASE WHEN time < ?1 THEN ?1 ELSE time END
         RETURNING head, time",
        params![clock],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Takes the id of the next revocation.
pub(super) fn next_revocation(tx: &Write) -> Result<RevocationId> {
    tx.one(
        "UPDATE log SET revocation = revocation + 1 RETURNING revocation",
        &[],
        |row| row.get(0),
    )
}

/// The id of the last revocation ever, even if it is not kept any more.
pub fn last_revocation(tx: &Read) -> Result<RevocationId> {
    tx.one("SELECT revocation FROM log", &[], |row| row.get(0))
}

/// The last message on a channel that a session other than `me` sent. 0: there is none.
fn last_of_others(tx: &Read, channel: ChannelId, me: SessionId) -> Result<EventId> {
    let last = tx.optional(
        "SELECT id, sender, others FROM event WHERE channel = ?1 ORDER BY id DESC LIMIT 1",
        params![channel],
        |row| {
            let sender: SessionId = row.get("sender")?;
            row.get(if sender == me { "others" } else { "id" })
        },
    )?;
    Ok(last.unwrap_or(EventId(0)))
}

/// The targets of an event.
pub fn targets_of(tx: &Read, id: EventId) -> Result<Vec<TargetId>> {
    tx.one(
        "SELECT targets FROM event WHERE id = ?1",
        params![id],
        |row| row::from_json(row.text(0)?),
    )
}

/// The log's position: the id of the last event ever appended, even if retention has removed it.
pub fn head(tx: &Read) -> Result<EventId> {
    tx.one("SELECT head FROM log", &[], |row| row.get(0))
}

/// Fails with `invalid_cursor` if no event has this id yet.
pub fn require_issued(tx: &Read, id: EventId) -> Result<()> {
    if id > head(tx)? {
        return Err(Error::new(Code::InvalidCursor, "no event has this id yet"));
    }
    Ok(())
}

/// Loads the events with these ids, in this order. It stops after the event with which they take
/// `most` bytes or more.
pub fn load(tx: &Read, ids: &[EventId], most: usize) -> Result<Vec<Event>> {
    let mut statement = tx.prepare(
        "SELECT id, time, source, command, params, client_id, label, app FROM event WHERE id = ?1",
    )?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    for id in ids {
        if bytes >= most {
            break;
        }
        let (event, length) = statement.one(params![id], read)?;
        bytes += length;
        events.push(event);
    }
    Ok(events)
}

/// The event in a row, and about how many bytes it takes.
pub(super) fn read(row: &Row) -> Result<(Event, usize)> {
    let client: Option<ClientId> = row.get("client_id")?;
    let label = row.get("label")?;
    let params = row.text("params")?;
    let event = Event {
        id: row.get("id")?,
        time: row.get("time")?,
        source: row.get("source")?,
        command: row.get("command")?,
        params: texts::split(params).map(str::to_owned).collect(),
        origin: client.map(|client| (client, label)),
        app: row.get("app")?,
    };
    Ok((event, texts::rendered_length(params)))
}

/// Removes an event and all its addresses.
pub fn remove(tx: &Write, event: EventId, targets: &[TargetId]) -> Result<()> {
    for target in targets {
        unaddress(tx, event, *target)?;
    }
    tx.execute("DELETE FROM event WHERE id = ?1", params![event])
        .map(drop)
}

/// Removes an event from one of its targets.
pub fn unaddress(tx: &Write, event: EventId, target: TargetId) -> Result<()> {
    tx.execute(
        "DELETE FROM address WHERE target_id = ?1 AND event_id = ?2",
        params![target, event],
    )
    .map(drop)
}
