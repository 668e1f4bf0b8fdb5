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
pub fn change(act: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Nick(nick) => rename(act, nick),
        Change::Away(text) => away(act, text.as_deref()),
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
fn rename(act: &mut CommandContext, nick: Nick) -> Result<()> {
    if nick.as_str() == act.nick().as_str() {
        return Ok(());
    }
    act.visibility.require_unrestricted()?;
    session::rename(act.tx, &act.session, &nick)?;
    let targets = audience::of(act.tx, &act.session)?;
    act.emit("NICK", &[&nick], &targets)?;
    // A ban that matched the old nick may not match the new one, so this session may now become op.
    for channel in membership::channels_of(act.tx, act.caller.session)? {
        op_succession::consider(act.tx, channel, act.caller.session, act.now)?;
    }
    Ok(())
}

/// AWAY: sets the away message, or removes it with `None`. It fails with `insufficient_scope` for a
/// confined caller.
fn away(act: &mut CommandContext, text: Option<&str>) -> Result<()> {
    let targets = act.around()?;
    if act.session.away.as_deref() != text {
        session::set_away(act.tx, act.caller.session, text)?;
        match &text {
            Some(text) => act.emit("AWAY", &[text], &targets)?,
            None => act.emit("AWAY", &[], &targets)?,
        };
    }
    match text {
        Some(_) => act.reply(RPL_NOWAWAY, &[&"You have been marked as being away"]),
        None => act.reply(RPL_UNAWAY, &[&"You are no longer marked as being away"]),
    }
    Ok(())
}
