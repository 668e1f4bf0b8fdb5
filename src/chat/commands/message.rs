//! Commands about messages: PRIVMSG, NOTICE, SILENCE, MARKREAD.

use std::fmt::Display;

use crate::{
    chat::commands::{
        context::CommandContext,
        read_marker,
        replies::{SHORT_BYTES, TEXT_BYTES},
        silence,
    },
    error::{Code, Error, Result},
    irc::{
        Reply,
        mode::Flag,
        params::TargetResults,
        verbs::{
            message::{Change, Query},
            nick_and_away::RPL_AWAY,
        },
    },
    model::{SessionId, Target},
    session::Visibility,
    store::{
        self, ban, channel::Channel, conversation, log::Recipient, membership, session::Session,
    },
};

/// Carries out a change.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Privmsg { targets, text, to } => {
            context.for_each_target("PRIVMSG", targets, |context, target| {
                send(context, "PRIVMSG", &target, &text, to)
            })
        }
        Change::Notice { targets, text, to } => notice(context, targets, &text, to),
        Change::Silence(mask, on) => silence::change(context, mask, on),
        Change::MarkRead { target, id, to } => read_marker::mark_read(context, &target, to, id),
    }
}

/// The most bytes of the answer to a change.
pub fn longest_answer(change: &Change) -> usize {
    match change {
        Change::Privmsg { targets, .. } => {
            let lengths = targets.iter().map(|target| match target {
                Ok(Target::Channel(_)) => SHORT_BYTES / 4,
                _ => TEXT_BYTES,
            });
            lengths.sum()
        }
        Change::Notice { .. } | Change::MarkRead { .. } => SHORT_BYTES,
        Change::Silence(..) => 20 * SHORT_BYTES,
    }
}

/// Answers a query.
pub fn query(visibility: &Visibility, me: &Session, query: &Query) -> Result<Vec<Reply>> {
    match query {
        Query::Silences => silence::show(visibility.tx, me),
        Query::ReadMarker { target, to } => read_marker::show(visibility, me, target, *to),
    }
}

/// The most bytes of the answer to a query.
pub fn longest_query_answer(query: &Query) -> usize {
    match query {
        Query::Silences => 20 * SHORT_BYTES,
        Query::ReadMarker { .. } => SHORT_BYTES,
    }
}

/// Sends a PRIVMSG or NOTICE to one target. `to` is the session that a message to a nick is meant
/// for; it fails with `nick_reassigned` if another session has the nick now.
///
/// It also fails with `no_such_channel`, `no_such_nick` or `cannot_send_to_channel`.
fn send(
    context: &mut CommandContext,
    command: &'static str,
    target: &Target,
    text: &str,
    to: Option<SessionId>,
) -> Result<()> {
    match target {
        Target::Channel(name) => {
            let channel = context.visibility.channel(name)?;
            let is_member = may_speak(context, &channel)?;
            let mut targets = vec![channel.id.into()];
            if !is_member {
                // Without +n a session may speak from outside. The sender's own clients receive the
                // message too.
                targets.push(context.caller.session.into());
            }
            let to = Recipient::Channel(channel.id);
            context
                .emit_message(command, to, &[&channel.name, &text], &targets)
                .map(drop)
        }
        Target::Nick(nick) => {
            let other = context.visibility.correspondent(nick)?;
            if to.is_some_and(|to| to != other.id) {
                return Err(
                    Error::new(Code::NickReassigned, "another session has this nick now")
                        .about(&other.nick),
                );
            }
            let params: [&dyn Display; 2] = [&other.nick, &text];
            let me = context.caller.session;
            let message = if store::silence::silences(context.tx, other.id, &context.session)? {
                context.emit_message(
                    command,
                    Recipient::Silencing(other.id),
                    &params,
                    &[me.into()],
                )?
            } else {
                let targets = [me.into(), other.id.into()];
                let message = context.emit_message(
                    command,
                    Recipient::Session(other.id),
                    &params,
                    &targets,
                )?;
                if other.id != me {
                    conversation::note_received(context.tx, other.id, me, message)?;
                }
                message
            };
            conversation::note_written(context.tx, me, other.id, message)?;
            if let Some(away) = other.away.as_ref().filter(|_| command == "PRIVMSG") {
                context.reply(RPL_AWAY, &[&other.nick, away]);
            }
            Ok(())
        }
    }
}

/// NOTICE. It is never answered, even if no session receives it (RFC 1459 §4.4.2).
fn notice(
    context: &mut CommandContext,
    targets: TargetResults<Target>,
    text: &str,
    to: Option<SessionId>,
) -> Result<()> {
    for target in targets.into_iter().flatten() {
        match send(context, "NOTICE", &target, text, to) {
            Err(error) if error.is_failure() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that the session may speak on a channel, and returns whether it is a member. It fails
/// with `cannot_send_to_channel`.
fn may_speak(context: &CommandContext, channel: &Channel) -> Result<bool> {
    let member = membership::get(context.tx, channel.id, context.caller.session)?;
    let standing = member.as_ref().is_some_and(|m| m.op || m.voice);
    let refused = (member.is_none() && channel.modes.has(Flag::NoExternal))
        || (!standing
            && (channel.modes.has(Flag::Moderated)
                || ban::matches(context.tx, channel.id, &context.session)?));
    if refused {
        return Err(
            Error::new(Code::CannotSendToChannel, "cannot send to channel").about(&channel.name),
        );
    }
    Ok(member.is_some())
}
