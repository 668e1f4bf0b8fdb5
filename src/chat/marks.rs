//! MARKREAD: how far a session has read, shared by its clients (after IRCv3's read-marker).

use super::act::Act;
use crate::{
    error::{Error, Result},
    irc::Reply,
    model::{EventId, Target, TargetId},
    store::{log, mark, member, session::Session, sight::Sight},
};

/// Moves the mark forward and tells the siblings; one that is further already stays.
pub fn mark_read(act: &mut Act, target: &Target, id: EventId) -> Result<()> {
    log::require_issued(act.tx, id)?;
    let (name, target) = resolve(&act.sight, &act.session, target)?;
    // Without a mark one is at 0 already.
    if id.0 > 0 && mark::advance(act.tx, act.caller.session, target, id)? {
        let own = [act.caller.session.into()];
        act.emit("MARKREAD", &[&name, &id], &own)?;
    }
    let mark = mark::get(act.tx, act.caller.session, target)?;
    act.answer.replies.push(Reply::command("MARKREAD", &[&name, &mark]));
    Ok(())
}

pub fn show(sight: &Sight, me: &Session, target: &Target) -> Result<Vec<Reply>> {
    let (name, target) = resolve(sight, me, target)?;
    Ok(vec![Reply::command("MARKREAD", &[&name, &mark::get(sight.tx, me.id, target)?])])
}

/// What a mark may be at: a channel one is on, or a live session.
fn resolve(sight: &Sight, me: &Session, target: &Target) -> Result<(String, TargetId)> {
    match target {
        Target::Channel(name) => {
            let channel = sight.channel(name)?;
            member::get(sight.tx, channel.id, me.id)?.ok_or_else(|| Error::not_on_channel(&channel.name))?;
            Ok((channel.name.to_string(), channel.id.into()))
        }
        Target::Nick(nick) => {
            let other = sight.correspondent(nick)?;
            Ok((other.nick.to_string(), other.id.into()))
        }
    }
}
