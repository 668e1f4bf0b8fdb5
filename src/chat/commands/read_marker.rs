//! MARKREAD: how far a session has read, shared by its clients (after IRCv3's read-marker).

use crate::{
    chat::commands::context::CommandContext,
    error::{Error, Result},
    irc::Reply,
    model::{ChannelId, EventId, SessionId, Target},
    session::Visibility,
    store::{Read, Write, conversation, log, membership, read_marker, session::Session},
};

/// Moves the mark forward and tells the siblings; one that is further already stays.
pub fn mark_read(
    act: &mut CommandContext,
    target: &Target,
    to: Option<SessionId>,
    id: EventId,
) -> Result<()> {
    log::require_issued(act.tx, id)?;
    let marked = Marked::find(&act.visibility, &act.session, target, to)?;
    let me = act.caller.session;
    // Without a mark one is at 0 already.
    if id.0 > 0 && marked.advance(act.tx, me, id)? {
        let (name, own) = (&marked.name, [me.into()]);
        match marked.place {
            // By now its nick may be another session's.
            Place::Conversation { other, ended: true } => {
                act.emit("MARKREAD", &[name, &id, &other], &own)?
            }
            _ => act.emit("MARKREAD", &[name, &id], &own)?,
        };
    }
    let mark = marked.get(act.tx, me)?;
    act.answer
        .replies
        .push(Reply::command("MARKREAD", &[&marked.name, &mark]));
    Ok(())
}

pub fn show(
    visibility: &Visibility,
    me: &Session,
    target: &Target,
    to: Option<SessionId>,
) -> Result<Vec<Reply>> {
    let marked = Marked::find(visibility, me, target, to)?;
    Ok(vec![Reply::command(
        "MARKREAD",
        &[&marked.name, &marked.get(visibility.tx, me.id)?],
    )])
}

/// What a mark is at: a channel that the session is on, or a conversation.
struct Marked {
    name: String,
    place: Place,
}

enum Place {
    Channel(ChannelId),
    Conversation { other: SessionId, ended: bool },
}

impl Marked {
    /// `to` is a session in place of the one that now has the nick.
    fn find(
        visibility: &Visibility,
        me: &Session,
        target: &Target,
        to: Option<SessionId>,
    ) -> Result<Self> {
        if let Some(to) = to {
            let other = visibility.past_correspondent(to)?;
            let place = Place::Conversation {
                other: other.id,
                ended: other.ended,
            };
            return Ok(Self {
                name: other.nick.to_string(),
                place,
            });
        }
        match target {
            Target::Channel(name) => {
                let channel = visibility.channel(name)?;
                membership::get(visibility.tx, channel.id, me.id)?
                    .ok_or_else(|| Error::not_on_channel(&channel.name))?;
                Ok(Self {
                    name: channel.name.to_string(),
                    place: Place::Channel(channel.id),
                })
            }
            Target::Nick(nick) => {
                let other = visibility.correspondent(nick)?;
                let place = Place::Conversation {
                    other: other.id,
                    ended: false,
                };
                Ok(Self {
                    name: other.nick.to_string(),
                    place,
                })
            }
        }
    }

    fn get(&self, tx: &Read, me: SessionId) -> Result<EventId> {
        match self.place {
            Place::Channel(channel) => read_marker::get(tx, me, channel),
            Place::Conversation { other, .. } => conversation::read_mark(tx, me, other),
        }
    }

    /// Whether it moved.
    fn advance(&self, tx: &Write, me: SessionId, to: EventId) -> Result<bool> {
        match self.place {
            Place::Channel(channel) => read_marker::advance(tx, me, channel, to),
            Place::Conversation { other, .. } => conversation::advance(tx, me, other, to),
        }
    }
}
