//! NICK and QUIT.

use crate::{
    chat::commands::context::CommandContext,
    error::Result,
    model::{EndReason, Nick, Scope},
    session::{
        audience,
        lifecycle::{self, QuitMessage},
        op_succession,
    },
    store::{membership, session},
};

/// NICK: one event to everyone in [`audience::of`]. It fails with `nickname_in_use`, and with
/// `insufficient_scope` for a confined caller.
pub fn rename(act: &mut CommandContext, nick: Nick) -> Result<()> {
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

/// QUIT: this client leaves. Other sessions are told only if it was the session's last device.
pub fn quit(act: &mut CommandContext, reason: Option<&str>) -> Result<()> {
    let caller = act.caller;
    // Every channel of the session would see the message. A client that may not write to all of
    // them leaves without one.
    let may_speak = caller.scope.allow(Scope::ChatWrite) && !caller.confined;
    let words = reason.filter(|_| may_speak).map(|text| QuitMessage {
        text,
        app: act.app().map(str::to_owned),
    });
    let ended = lifecycle::end_client(
        act.tx,
        caller.session,
        caller.client,
        EndReason::Quit,
        words,
        act.now,
    )?;
    act.answer.ids.extend(ended);
    Ok(())
}
