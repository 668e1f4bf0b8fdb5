//! MODE.

use std::fmt::Display;

use crate::{
    chat::commands::{
        channel::{chanop_needed, not_in_channel},
        context::CommandContext,
        replies::{ANSWER_BYTES, Replies},
    },
    error::{Code, Error, Result},
    irc::{
        Reply,
        mask::Mask,
        mode::Flag,
        verbs::mode::{
            Change, ModeChange, Query, RPL_BANLIST, RPL_CHANNELMODEIS, RPL_CREATIONTIME,
            RPL_ENDOFBANLIST, RPL_UMODEIS, render_changes,
        },
    },
    model::{ChannelName, Nick},
    session::{Visibility, channels},
    store::{
        Read,
        ban::{self, Ban},
        channel::{self, Channel},
        channel_history,
        membership::{self, Member},
        session::Session,
    },
};

/// Bans of a channel, at most.
const MAX_BANS: usize = 100;

/// A change that took effect: whether it was set, the mode's letter, and its parameter.
type AppliedChange = (bool, char, Option<String>);

/// Carries out a change.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Modes { channel, changes } => change_modes(context, &channel, changes),
    }
}

/// The most bytes of the answer to a change.
pub fn longest_answer(change: &Change) -> usize {
    match change {
        // It may list the bans.
        Change::Modes { .. } => ANSWER_BYTES,
    }
}

/// Answers a query.
pub fn query(visibility: &Visibility, me: &Session, query: &Query) -> Result<Vec<Reply>> {
    match query {
        Query::Modes(channel) => modes(visibility, me, channel),
        Query::Bans(channel) => own_bans(visibility, me, channel),
        Query::UserModes { nick, changes } => user_modes(me, nick, changes.as_deref()),
    }
}

/// The most bytes of the answer to a query.
pub fn longest_query_answer(query: &Query) -> usize {
    match query {
        Query::Modes(_) | Query::Bans(_) | Query::UserModes { .. } => ANSWER_BYTES,
    }
}

/// MODE on a channel. One MODE event tells of all changes that took effect. Refused changes are
/// error numerics among the replies. It fails with `no_such_channel`, `not_on_channel` or
/// `chanop_needed`, or, if nothing else happened, with the first refusal.
fn change_modes(
    context: &mut CommandContext,
    name: &ChannelName,
    changes: Vec<ModeChange>,
) -> Result<()> {
    let (mut channel, member) = context.own_channel(name)?;
    let had_history = channel.modes.has(Flag::History);
    let mut applied: Vec<AppliedChange> = Vec::new();
    let mut first_refusal = None;
    let mut listed = false;
    for change in changes {
        let result = match change {
            ModeChange::ListBans => {
                if !std::mem::replace(&mut listed, true) {
                    let replies = bans(context.tx, &context.session, &channel)?;
                    context.answer.replies.extend(replies);
                }
                continue;
            }
            _ if !member.op => return Err(chanop_needed(&channel)),
            change => apply(context, &mut channel, change),
        };
        match result {
            Ok(change) => applied.extend(change),
            Err(error) => context.refuse("MODE", error, &mut first_refusal)?,
        }
    }
    if applied.is_empty() {
        return first_refusal.filter(|_| !listed).map_or(Ok(()), Err);
    }
    channel::set_modes(context.tx, channel.id, &channel.modes)?;
    let rendered = render_changes(&applied);
    let mut params: Vec<&dyn std::fmt::Display> = vec![&channel.name];
    params.extend(rendered.iter().map(|p| p as &dyn std::fmt::Display));
    let id = context.emit("MODE", &params, &[channel.id.into()])?;
    match (had_history, channel.modes.has(Flag::History)) {
        (false, true) => channels::open_history(context.tx, channel.id, id),
        (true, false) => channel_history::close(context.tx, channel.id, id),
        _ => Ok(()),
    }
}

/// Carries out one change. `None` if it changes nothing.
fn apply(
    context: &CommandContext,
    channel: &mut Channel,
    change: ModeChange,
) -> Result<Option<AppliedChange>> {
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
            let member = member_named(context, channel, &nick)?;
            if member.op == on {
                return Ok(None);
            }
            if !on && membership::ops(context.tx, channel.id, 2)? == 1 {
                return Err(last_op(&member.nick, channel));
            }
            membership::set_op(context.tx, channel.id, member.session, on)?;
            Some((on, 'o', Some(member.nick.to_string())))
        }
        ModeChange::Voice(nick, on) => {
            let member = member_named(context, channel, &nick)?;
            membership::set_voice(context.tx, channel.id, member.session, on)?;
            (member.voice != on).then(|| (on, 'v', Some(member.nick.to_string())))
        }
        ModeChange::Ban(mask, true) => add_ban(context, channel, mask)?,
        ModeChange::Ban(mask, false) => ban::remove(context.tx, channel.id, &mask)?
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

fn add_ban(
    context: &CommandContext,
    channel: &Channel,
    mask: Mask,
) -> Result<Option<AppliedChange>> {
    let bans = ban::list(context.tx, channel.id)?;
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
    let mask = context.visibility.mask(mask)?;
    let ban = Ban {
        mask,
        set_by: context.nick().to_string(),
        set_at: context.now,
    };
    let added = ban::add(context.tx, channel.id, &ban)?;
    Ok(added.then(|| (true, 'b', Some(ban.mask.mask.as_str().to_owned()))))
}

fn member_named(context: &CommandContext, channel: &Channel, nick: &Nick) -> Result<Member> {
    let session = context.visibility.session(nick)?;
    membership::get(context.tx, channel.id, session.id)?
        .ok_or_else(|| not_in_channel(&session.nick, channel))
}

/// MODE of a channel: 324 and 329. It fails with `no_such_channel`.
fn modes(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    let inside = membership::get(visibility.tx, channel.id, me.id)?.is_some();
    let rendered = channel.modes.render(inside);
    let mut params: Vec<&dyn Display> = vec![&channel.name];
    let words: Vec<&str> = rendered.split(' ').collect();
    params.extend(words.iter().map(|word| word as &dyn Display));
    Ok(vec![
        Reply::numeric(RPL_CHANNELMODEIS, &me.nick, &params),
        Reply::numeric(
            RPL_CREATIONTIME,
            &me.nick,
            &[&channel.name, &channel.created_at.seconds()],
        ),
    ])
}

/// MODE of a nick: 221 without modes, because Rejoin has no user modes. It fails with
/// `users_dont_match` or `unknown_user_mode`.
fn user_modes(me: &Session, nick: &Nick, changes: Option<&str>) -> Result<Vec<Reply>> {
    if nick.folded() != me.nick.folded() {
        return Err(Error::new(
            Code::UsersDontMatch,
            "you cannot see or change the modes of another user",
        ));
    }
    match changes {
        Some(_) => Err(Error::new(
            Code::UnknownUserMode,
            "this server has no user modes",
        )),
        None => Ok(vec![Reply::numeric(RPL_UMODEIS, &me.nick, &[&"+"])]),
    }
}

/// The bans of a channel: 367s and 368.
fn bans(tx: &Read, me: &Session, channel: &Channel) -> Result<Vec<Reply>> {
    let mut replies = Replies::new(me);
    for ban in ban::list(tx, channel.id)? {
        replies.add(
            RPL_BANLIST,
            &[
                &channel.name,
                &ban.mask.mask.as_str(),
                &ban.set_by,
                &ban.set_at.seconds(),
            ],
        );
    }
    replies.end(
        RPL_ENDOFBANLIST,
        &[&channel.name, &"End of channel ban list"],
    );
    Ok(replies.finish("MODE", &channel.name))
}

/// The bans of a channel that the session is on. It fails with `no_such_channel` or
/// `not_on_channel`.
fn own_bans(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    membership::get(visibility.tx, channel.id, me.id)?
        .ok_or_else(|| Error::not_on_channel(&channel.name))?;
    bans(visibility.tx, me, &channel)
}
