//! Channels: created, found, listed and changed. Their members are in `membership`.

use super::{
    effect::Effect,
    engine::{connection::Row, value::params},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    irc::mode::{Flag, Modes},
    model::{ChannelId, ChannelName, TargetId, Timestamp},
};

/// A live channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its id, which is also its target id.
    pub id: ChannelId,
    /// Its name, as its first member typed it.
    pub name: ChannelName,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its modes, with key and member limit.
    pub modes: Modes,
    /// Its topic. `None`: it has none.
    pub topic: Option<Topic>,
}

/// A channel's topic.
#[derive(Clone, Debug)]
pub struct Topic {
    /// The text.
    pub text: String,
    /// The nick of the session that set it.
    pub set_by: String,
    /// When it was set.
    pub set_at: Timestamp,
}

impl Channel {
    /// Reads a row of the table.
    pub(super) fn read(row: &Row) -> Result<Self> {
        let topic: Option<String> = row.get("topic")?;
        let topic = match topic {
            Some(text) => Some(Topic {
                text,
                set_by: row.get("topic_set_by")?,
                set_at: row.get("topic_set_at")?,
            }),
            None => None,
        };
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            created_at: row.get("created_at")?,
            modes: Modes {
                flags: Modes::from_letters(row.text("modes")?),
                key: row.get("key")?,
                limit: row.get("member_limit")?,
            },
            topic,
        })
    }
}

/// Creates a channel. Its first member joins in the same transaction.
pub fn insert(
    tx: &Write,
    target: TargetId,
    name: &ChannelName,
    modes: Modes,
    now: Timestamp,
) -> Result<Channel> {
    let id = ChannelId(target.0);
    tx.effect(Effect::ChannelMade {
        channel: id,
        name: name.clone(),
    });
    tx.execute(
        "INSERT INTO channel (id, name, folded_name, created_at, modes)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, name, name.folded(), now, modes.letters()],
    )?;
    tx.add_row(3 * name.as_str().len(), 3);
    Ok(Channel {
        id,
        name: name.clone(),
        created_at: now,
        modes,
        topic: None,
    })
}

/// The live channel with this name, compared in folded form.
pub fn by_name(tx: &Read, name: &ChannelName) -> Result<Option<Channel>> {
    tx.optional(
        "SELECT * FROM channel WHERE folded_name = ?1 AND ended_at IS NULL",
        params![name.folded()],
        Channel::read,
    )
}

/// The folded name of a channel, live or ended.
pub fn folded_name(tx: &Read, id: ChannelId) -> Result<String> {
    tx.one(
        "SELECT folded_name FROM channel WHERE id = ?1",
        params![id],
        |row| row.get(0),
    )
}

/// The live channels with ids above `after`, in other words those created after it.
pub fn made_after(tx: &Read, after: ChannelId) -> Result<Vec<(ChannelId, ChannelName)>> {
    tx.all(
        "SELECT id, name FROM channel WHERE id > ?1 AND ended_at IS NULL",
        params![after],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// The id of the channel that was created last, live or ended. 0: there has been none.
pub fn newest(tx: &Read) -> Result<ChannelId> {
    tx.one("SELECT coalesce(max(id), 0) FROM channel", &[], |row| {
        row.get(0)
    })
}

/// Whether a channel is live.
pub fn is_live(tx: &Read, id: ChannelId) -> Result<bool> {
    tx.one(
        "SELECT EXISTS (SELECT 1 FROM channel WHERE id = ?1 AND ended_at IS NULL)",
        params![id],
        |row| row.get(0),
    )
}

/// The live channels that have no op.
pub fn without_op(tx: &Read) -> Result<Vec<ChannelId>> {
    tx.all(
        "SELECT id FROM channel WHERE ended_at IS NULL AND NOT EXISTS
             (SELECT 1 FROM membership WHERE channel_id = channel.id AND until IS NULL AND op)",
        &[],
        |row| row.get(0),
    )
}

/// The name of a channel, live or ended.
pub fn name(tx: &Read, id: ChannelId) -> Result<String> {
    tx.one(
        "SELECT name FROM channel WHERE id = ?1",
        params![id],
        |row| row.get(0),
    )
}

/// The live channels that are not secret (+s), each with its number of members, largest first, at
/// most `limit`. The caller decides what of each channel the reader may see.
pub fn largest(tx: &Read, limit: usize) -> Result<Vec<(Channel, i64)>> {
    let hidden = Flag::Secret.letter().to_string();
    tx.all(
        "SELECT channel.*, (SELECT count(*) FROM membership WHERE channel_id = channel.id
         AND until IS NULL) AS members FROM channel WHERE ended_at IS NULL
         AND replace(modes, ?1, '') = modes ORDER BY members DESC, folded_name LIMIT ?2",
        params![hidden, limit],
        |row| Ok((Channel::read(row)?, row.get("members")?)),
    )
}

/// Sets or clears (`None`) a channel's topic.
pub fn set_topic(tx: &Write, id: ChannelId, topic: Option<&Topic>) -> Result<()> {
    tx.add_text(topic.map_or("", |topic| &topic.text));
    tx.execute(
        "UPDATE channel SET topic = ?2, topic_set_by = ?3, topic_set_at = ?4 WHERE id = ?1",
        params![
            id,
            topic.map(|t| &t.text),
            topic.map(|t| &t.set_by),
            topic.map(|t| t.set_at)
        ],
    )?;
    Ok(())
}

/// Replaces a channel's modes, its key and its member limit.
pub fn set_modes(tx: &Write, id: ChannelId, modes: &Modes) -> Result<()> {
    tx.add_text(modes.key.as_deref().unwrap_or_default());
    tx.execute(
        "UPDATE channel SET modes = ?2, key = ?3, member_limit = ?4 WHERE id = ?1",
        params![id, modes.letters(), modes.key, modes.limit],
    )?;
    Ok(())
}

/// Marks a channel as ended, which frees its name. Its key and topic are deleted.
pub fn end(tx: &Write, id: ChannelId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE channel SET ended_at = ?2, key = NULL, topic = NULL WHERE id = ?1",
        params![id, now],
    )?;
    tx.effect(Effect::ChannelEnded { channel: id });
    Ok(())
}
