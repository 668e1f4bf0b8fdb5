//! MODE on a channel.

use crate::{
    chat::{
        commands::channel::{chanop_needed, not_in_channel},
        commands::context::CommandContext,
        commands::query,
    },
    error::{Code, Error, Result},
    irc::mode::{Flag, Mask, ModeChange, render_changes},
    model::{ChannelName, Nick},
    session::channels,
    store::{
        ban::{self, Ban},
        channel::{self, Channel},
        channel_history,
        membership::{self, Member},
    },
};

/// Bans of a channel, at most.
const MAX_BANS: usize = 100;

/// A change that took effect: whether it was set, the mode's letter, and its parameter.
type Effect = (bool, char, Option<String>);

/// MODE on a channel. One MODE event tells of all changes that took effect. Refused changes are
/// error numerics among the replies. It fails with `no_such_channel`, `not_on_channel` or
/// `chanop_needed`, or, if nothing else happened, with the first refusal.
pub fn change(
    act: &mut CommandContext,
    name: &ChannelName,
    changes: Vec<ModeChange>,
) -> Result<()> {
    let (mut channel, member) = act.own_channel(name)?;
    let had_history = channel.modes.has(Flag::History);
    let mut effects: Vec<Effect> = Vec::new();
    let mut first_refusal = None;
    let mut listed = false;
    for change in changes {
        let result = match change {
            ModeChange::ListBans => {
                if !std::mem::replace(&mut listed, true) {
                    let replies = query::bans(act.tx, &act.session, &channel)?;
                    act.answer.replies.extend(replies);
                }
                continue;
            }
            _ if !member.op => return Err(chanop_needed(&channel)),
            change => apply(act, &mut channel, change),
        };
        match result {
            Ok(effect) => effects.extend(effect),
            Err(error) => act.refuse("MODE", error, &mut first_refusal)?,
        }
    }
    if effects.is_empty() {
        return first_refusal.filter(|_| !listed).map_or(Ok(()), Err);
    }
    channel::set_modes(act.tx, channel.id, &channel.modes)?;
    let rendered = render_changes(&effects);
    let mut params: Vec<&dyn std::fmt::Display> = vec![&channel.name];
    params.extend(rendered.iter().map(|p| p as &dyn std::fmt::Display));
    let id = act.emit("MODE", &params, &[channel.id.into()])?;
    match (had_history, channel.modes.has(Flag::History)) {
        (false, true) => channels::open_history(act.tx, channel.id, id),
        (true, false) => channel_history::close(act.tx, channel.id, id),
        _ => Ok(()),
    }
}

/// Carries out one change. `None` if it changes nothing.
fn apply(
    act: &CommandContext,
    channel: &mut Channel,
    change: ModeChange,
) -> Result<Option<Effect>> {
    let modes = &mut channel.modes;
    Ok(match change {
        ModeChange::Flag(flag, on) => modes.set(flag, on).then_some((on, flag.letter(), None)),
        ModeChange::Key(Some(key)) if modes.key.as_ref() != Some(&key) => {
            modes.key = Some(key.clone());
            Some((true, 'k', Some(key)))
        }
        ModeChange::Key(None) => modes.key.take().map(|_| (false, 'k', Some("*".into()))),
        ModeChange::Limit(Some(limit)) if modes.limit != Some(limit) => {
            modes.limit = Some(limit);
            Some((true, 'l', Some(limit.to_string())))
        }
        ModeChange::Limit(None) => modes.limit.take().map(|_| (false, 'l', None)),
        ModeChange::Key(_) | ModeChange::Limit(_) => None,
        ModeChange::Op(nick, on) => {
            let member = standing(act, channel, &nick)?;
            if member.op == on {
                return Ok(None);
            }
            if !on && membership::ops(act.tx, channel.id, 2)? == 1 {
                return Err(last_op(&member.nick, channel));
            }
            membership::set_op(act.tx, channel.id, member.session, on)?;
            Some((on, 'o', Some(member.nick.to_string())))
        }
        ModeChange::Voice(nick, on) => {
            let member = standing(act, channel, &nick)?;
            membership::set_voice(act.tx, channel.id, member.session, on)?;
            (member.voice != on).then(|| (on, 'v', Some(member.nick.to_string())))
        }
        ModeChange::Ban(mask, true) => add_ban(act, channel, mask)?,
        ModeChange::Ban(mask, false) => ban::remove(act.tx, channel.id, &mask)?
            .then(|| (false, 'b', Some(mask.as_str().to_owned()))),
        ModeChange::ListBans => None,
    })
}

/// The error for an op who would leave the channel without one. MODE never does that: the last op
/// has to make another member op first.
fn last_op(nick: &Nick, channel: &Channel) -> Error {
    let detail =
        format!("{nick} is the channel's last operator: make another member operator first");
    Error::new(Code::ChanopNeeded, detail).about(&channel.name)
}

fn add_ban(act: &CommandContext, channel: &Channel, mask: Mask) -> Result<Option<Effect>> {
    let bans = ban::list(act.tx, channel.id)?;
    if bans.len() >= MAX_BANS
        && !bans
            .iter()
            .any(|ban| ban.mask.mask.folded() == mask.folded())
    {
        let detail = format!("a channel can have at most {MAX_BANS} bans; remove one first");
        return Err(Error::new(Code::BanListFull, detail)
            .about(&channel.name)
            .about('b'));
    }
    let mask = act.visibility.mask(mask)?;
    let ban = Ban {
        mask,
        set_by: act.nick().to_string(),
        set_at: act.now,
    };
    let added = ban::add(act.tx, channel.id, &ban)?;
    Ok(added.then(|| (true, 'b', Some(ban.mask.mask.as_str().to_owned()))))
}

fn standing(act: &CommandContext, channel: &Channel, nick: &Nick) -> Result<Member> {
    let session = act.visibility.session(nick)?;
    membership::get(act.tx, channel.id, session.id)?
        .ok_or_else(|| not_in_channel(&session.nick, channel))
}
