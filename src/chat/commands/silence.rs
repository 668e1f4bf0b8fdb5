//! SILENCE: the sessions whose direct messages and invitations a session does not want.

use crate::{
    chat::commands::context::CommandContext,
    error::{Code, Error, Result},
    irc::{
        Reply,
        mask::Mask,
        verbs::message::{RPL_ENDOFSILELIST, RPL_SILELIST},
    },
    store::{Read, session::Session, silence},
};

/// Masks of a session, at most.
const MAX_MASKS: usize = 64;

/// Adds or removes a mask and tells the session's clients. A change that changes nothing causes no
/// event. It fails with `silence_list_full`.
pub fn change(context: &mut CommandContext, mask: Mask, on: bool) -> Result<()> {
    let me = context.caller.session;
    let changed = if on {
        let known = silence::list(context.tx, me)?;
        if known.len() >= MAX_MASKS
            && !known
                .iter()
                .any(|known| known.mask.folded() == mask.folded())
        {
            let detail =
                format!("a session can have at most {MAX_MASKS} silence masks; remove one first");
            return Err(Error::new(Code::SilenceListFull, detail).about(mask.as_str()));
        }
        silence::add(context.tx, me, &context.visibility.mask(mask.clone())?)?
    } else {
        silence::remove(context.tx, me, &mask)?
    };
    if changed {
        let sign = if on { '+' } else { '-' };
        context.emit(
            "SILENCE",
            &[&format!("{sign}{}", mask.as_str())],
            &[me.into()],
        )?;
    }
    Ok(())
}

/// The session's masks: 271s and 272.
pub fn show(tx: &Read, me: &Session) -> Result<Vec<Reply>> {
    let masks = silence::list(tx, me.id)?;
    let listed = masks
        .iter()
        .map(|mask| Reply::numeric(RPL_SILELIST, &me.nick, &[&me.nick, &mask.mask.as_str()]));
    let end = Reply::numeric(RPL_ENDOFSILELIST, &me.nick, &[&"End of silence list"]);
    Ok(listed.chain([end]).collect())
}
