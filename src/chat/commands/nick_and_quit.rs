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

/// NICK: one event to all who are to know the session's nick.
pub fn rename(act: &mut CommandContext, nick: Nick) -> Result<()> {
    if nick.as_str() == act.nick().as_str() {
        return Ok(());
    }
    act.visibility.require_unrestricted()?;
    session::rename(act.tx, &act.session, &nick)?;
    let targets = audience::of(act.tx, &act.session)?;
    act.emit("NICK", &[&nick], &targets)?;
    // A ban that no longer matches is no longer in the way of being op.
    for channel in membership::channels_of(act.tx, act.caller.session)? {
        op_succession::consider(act.tx, channel, act.caller.session, act.now)?;
    }
    Ok(())
}

/// QUIT: this client leaves; others hear of it only if it was the last.
pub fn quit(act: &mut CommandContext, reason: Option<&str>) -> Result<()> {
    let caller = act.caller;
    // All channels of the session hear them, so who may not speak to those leaves without a word.
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
