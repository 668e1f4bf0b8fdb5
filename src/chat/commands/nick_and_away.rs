//! NICK and AWAY.

use crate::{
    chat::commands::{context::CommandContext, replies::SHORT_BYTES},
    error::Result,
    irc::verbs::nick_and_away::{Change, RPL_NOWAWAY, RPL_UNAWAY},
    model::Nick,
    session::{audience, op_succession},
    store::{membership, session},
};

/// Carries out a change.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Nick(nick) => rename(context, nick),
        Change::Away(text) => away(context, text.as_deref()),
    }
}

/// The most bytes of the answer to a change.
pub fn longest_answer(change: &Change) -> usize {
    match change {
        Change::Nick(_) | Change::Away(_) => SHORT_BYTES,
    }
}

/// NICK: one event to everyone in [`audience::of`]. It fails with `nickname_in_use`, and with
/// `insufficient_scope` for a confined caller.
fn rename(context: &mut CommandContext, nick: Nick) -> Result<()> {
    if nick.as_str() == context.nick().as_str() {
        return Ok(());
    }
    context.visibility.require_unrestricted()?;
    session::rename(context.tx, &context.session, &nick)?;
    let targets = audience::of(context.tx, &context.session)?;
    context.emit("NICK", &[&nick], &targets)?;
    // A ban that matched the old nick may not match the new one, so this session may now become op.
    for channel in membership::channels_of(context.tx, context.caller.session)? {
        op_succession::consider(context.tx, channel, context.caller.session, context.now)?;
    }
    Ok(())
}

/// AWAY: sets the away message, or removes it with `None`. It fails with `insufficient_scope` for a
/// confined caller.
fn away(context: &mut CommandContext, text: Option<&str>) -> Result<()> {
    let targets = context.own_targets()?;
    if context.session.away.as_deref() != text {
        session::set_away(context.tx, context.caller.session, text)?;
        match &text {
            Some(text) => context.emit("AWAY", &[text], &targets)?,
            None => context.emit("AWAY", &[], &targets)?,
        };
    }
    match text {
        Some(_) => context.reply(RPL_NOWAWAY, &[&"You have been marked as being away"]),
        None => context.reply(RPL_UNAWAY, &[&"You are no longer marked as being away"]),
    }
    Ok(())
}
