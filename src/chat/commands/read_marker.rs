//! MARKREAD: how far a session has read, shared by its clients (after IRCv3's read-marker).

use crate::{
    chat::commands::context::CommandContext,
    error::{Error, Result},
    irc::Reply,
    model::{ChannelId, EventId, SessionId, Target},
    session::Visibility,
    store::{Read, Write, conversation, log, membership, read_marker, session::Session},
};

/// Moves the read marker forward and tells the session's clients. It never moves back. It fails
/// with `invalid_cursor`, `no_such_channel`, `not_on_channel` or `no_such_nick`.
pub fn mark_read(
    context: &mut CommandContext,
    target: &Target,
    to: Option<SessionId>,
    id: EventId,
) -> Result<()> {
    log::require_issued(context.tx, id)?;
    let marker = MarkerTarget::find(&context.visibility, &context.session, target, to)?;
    let me = context.caller.session;
    // A missing marker is at 0.
    if id.0 > 0 && marker.advance(context.tx, me, id)? {
        let (name, own) = (&marker.name, [me.into()]);
        match marker.owner {
            // Another session may have its nick by now, so the event names the session too.
            MarkerOwner::Conversation { other, ended: true } => {
                context.emit("MARKREAD", &[name, &id, &other], &own)?
            }
            _ => context.emit("MARKREAD", &[name, &id], &own)?,
        };
    }
    let mark = marker.get(context.tx, me)?;
    context
        .answer
        .replies
        .push(Reply::command("MARKREAD", &[&marker.name, &mark]));
    Ok(())
}

/// MARKREAD without an id: the marker as it is.
pub fn show(
    visibility: &Visibility,
    me: &Session,
    target: &Target,
    to: Option<SessionId>,
) -> Result<Vec<Reply>> {
    let marker = MarkerTarget::find(visibility, me, target, to)?;
    Ok(vec![Reply::command(
        "MARKREAD",
        &[&marker.name, &marker.get(visibility.tx, me.id)?],
    )])
}

/// The target of a read marker: a channel that the session is on, or a conversation.
struct MarkerTarget {
    name: String,
    owner: MarkerOwner,
}

enum MarkerOwner {
    Channel(ChannelId),
    Conversation { other: SessionId, ended: bool },
}

impl MarkerTarget {
    /// Finds the target of a marker. `to` names a session by its id, and replaces the session that
    /// has the nick now.
    fn find(
        visibility: &Visibility,
        me: &Session,
        target: &Target,
        to: Option<SessionId>,
    ) -> Result<Self> {
        if let Some(to) = to {
            let other = visibility.past_correspondent(to)?;
            let owner = MarkerOwner::Conversation {
                other: other.id,
                ended: other.ended,
            };
            return Ok(Self {
                name: other.nick.to_string(),
                owner,
            });
        }
        match target {
            Target::Channel(name) => {
                let channel = visibility.channel(name)?;
                membership::get(visibility.tx, channel.id, me.id)?
                    .ok_or_else(|| Error::not_on_channel(&channel.name))?;
                Ok(Self {
                    name: channel.name.to_string(),
                    owner: MarkerOwner::Channel(channel.id),
                })
            }
            Target::Nick(nick) => {
                let other = visibility.correspondent(nick)?;
                let owner = MarkerOwner::Conversation {
                    other: other.id,
                    ended: false,
                };
                Ok(Self {
                    name: other.nick.to_string(),
                    owner,
                })
            }
        }
    }

    fn get(&self, tx: &Read, me: SessionId) -> Result<EventId> {
        match self.owner {
            MarkerOwner::Channel(channel) => {
                Ok(read_marker::get(tx, me, channel)?.unwrap_or(EventId(0)))
            }
            MarkerOwner::Conversation { other, .. } => conversation::read_mark(tx, me, other),
        }
    }

    /// Moves the marker forward. Returns whether it moved.
    fn advance(&self, tx: &Write, me: SessionId, to: EventId) -> Result<bool> {
        match self.owner {
            MarkerOwner::Channel(channel) => read_marker::advance(tx, me, channel, to),
            MarkerOwner::Conversation { other, .. } => conversation::advance(tx, me, other, to),
        }
    }
}
