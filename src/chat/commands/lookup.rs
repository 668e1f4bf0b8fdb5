//! Looking up channels and sessions: NAMES, LIST, WHO, WHOIS.

use std::{collections::BTreeMap, fmt::Display};

use crate::{
    chat::commands::replies::{ANSWER_BYTES, Replies},
    error::Result,
    irc::{
        Reply,
        mode::{Flag, Shown},
        params::TargetResults,
        verbs::{lookup::*, nick_and_away::RPL_AWAY},
    },
    model::{ChannelName, Nick, SERVER_NAME, SessionId},
    session::Visibility,
    store::{
        Read,
        channel::Channel,
        joined::Joined,
        membership::{self, Member},
        session::{self, Session},
    },
};

/// Bytes of names in one 353, so that it fits a line of IRC.
const NAMES_BYTES: usize = 400;
/// Sessions in an answer to WHO, at most.
const WHO_LIMIT: usize = 500;
/// The most channels in an answer to LIST: the largest, and those that the session is on.
const LIST_LIMIT: usize = 500;

fn reply(me: &Session, numeric: &str, params: &[&dyn Display]) -> Reply {
    Reply::numeric(numeric, &me.nick, params)
}

/// Answers a query.
pub fn query(visibility: &Visibility, me: &Session, query: &Query) -> Result<Vec<Reply>> {
    match query {
        Query::Names(channels) => names(visibility, me, channels),
        Query::List(channels) => list(visibility, me, channels),
        Query::Who(mask) => who(visibility, me, mask),
        Query::Whois(nick) => whois(visibility, me, nick),
    }
}

/// The most bytes of the answer to a query.
pub fn longest_query_answer(query: &Query) -> usize {
    match query {
        Query::Names(_) | Query::List(_) | Query::Who(_) | Query::Whois(_) => ANSWER_BYTES,
    }
}

/// NAMES of these channels, or of the session's own channels. A channel that does not exist has an
/// empty list, as in IRC. So has a channel that hides its members.
fn names(
    visibility: &Visibility,
    me: &Session,
    names: &TargetResults<ChannelName>,
) -> Result<Vec<Reply>> {
    let mut replies = Replies::new(me);
    if names.is_empty() {
        names_of_joined(visibility, me, &mut replies)?;
        if replies.is_empty() {
            end_of_names(&mut replies, &"*");
        }
    }
    for name in names {
        match name {
            Ok(name) => match visibility.find_channel(name)? {
                Some(channel) if visibility.shown(&channel, me.id)? == Shown::Everything => {
                    names_of(visibility.tx, &mut replies, &channel)?;
                }
                _ => end_of_names(&mut replies, name),
            },
            Err(error) => end_of_names(&mut replies, &error.context.join(" ")),
        }
    }
    Ok(replies.finish("NAMES", &"*"))
}

/// The most names that there is room for, and one more: a name takes at least two bytes, with the
/// space after it.
fn most_names(replies: &Replies) -> usize {
    replies.room() / 2 + 1
}

/// The bytes that a name usually takes in an answer. Channels whose names fit by this measure are
/// read at once, so that not many more names are read than there is room for.
const USUAL_NAME: usize = 16;

/// The names of the session's own channels, as many as there is room for. The first channels, whose
/// members probably all fit, are read at once.
fn names_of_joined(visibility: &Visibility, me: &Session, replies: &mut Replies) -> Result<()> {
    let joined = visibility.joined(me.id)?;
    let mut room = i64::try_from(replies.room() / USUAL_NAME).unwrap_or(i64::MAX);
    let whole = joined.iter().take_while(|joined| {
        room = room.saturating_sub(joined.members);
        room >= 0
    });
    let mut members = match whole.last() {
        Some(last) => visibility.members_of_joined(me.id, last.since, None)?,
        None => BTreeMap::new(),
    };
    for Joined { channel, .. } in &joined {
        if replies.is_truncated() {
            break;
        }
        match members.remove(&channel.id) {
            Some(members) => list_names(replies, channel, members),
            None => names_of(visibility.tx, replies, channel)?,
        }
    }
    Ok(())
}

/// The 353s of a channel, as many as there is room for, and the 366.
pub fn names_of(tx: &Read, replies: &mut Replies, channel: &Channel) -> Result<()> {
    if replies.is_truncated() {
        end_of_names(replies, &channel.name);
        return Ok(());
    }
    let members = membership::first_of_channel(tx, channel.id, most_names(replies))?;
    list_names(replies, channel, members);
    Ok(())
}

fn list_names(replies: &mut Replies, channel: &Channel, members: Vec<Member>) {
    let kind = if channel.modes.has(Flag::Secret) {
        "@"
    } else {
        "="
    };
    let mut line = String::new();
    for member in members {
        let name = format!("{}{}", member.prefix(), member.nick);
        if !line.is_empty() && line.len() + name.len() >= NAMES_BYTES {
            replies.add(RPL_NAMREPLY, &[&kind, &channel.name, &line]);
            line.clear();
        }
        if replies.is_truncated() {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&name);
    }
    replies.add(RPL_NAMREPLY, &[&kind, &channel.name, &line]);
    end_of_names(replies, &channel.name);
}

/// The text of the 366 that ends a list of names.
pub const END_OF_NAMES: &str = "End of /NAMES list";

/// The 366 that ends a list of names.
pub fn end_of_names(replies: &mut Replies, name: &dyn Display) {
    replies.end(RPL_ENDOFNAMES, &[name, &END_OF_NAMES]);
}

/// LIST of these channels, or without names of [`Visibility::listed_channels`]: 321, 322s and 323.
fn list(
    visibility: &Visibility,
    me: &Session,
    names: &TargetResults<ChannelName>,
) -> Result<Vec<Reply>> {
    let mut replies = Replies::new(me);
    let (mut channels, mut complete) = (Vec::new(), true);
    if names.is_empty() {
        (channels, complete) = visibility.listed_channels(me.id, LIST_LIMIT)?;
    }
    for name in names.iter().flatten() {
        if let Some(channel) = visibility.find_channel(name)? {
            let members = membership::count(visibility.tx, channel.id)?;
            channels.push((channel, members));
        }
    }
    replies.end(RPL_LISTSTART, &[&"Channel", &"Users  Name"]);
    for (channel, members) in &channels {
        match visibility.shown(channel, me.id)? {
            Shown::Nothing => {}
            Shown::Name => replies.add(RPL_LIST, &[&channel.name, &0, &""]),
            Shown::Everything => {
                let topic = channel
                    .topic
                    .as_ref()
                    .map_or("", |topic| topic.text.as_str());
                replies.add(RPL_LIST, &[&channel.name, members, &topic]);
            }
        }
    }
    if !complete {
        replies.truncate();
    }
    replies.end(RPL_LISTEND, &[&"End of /LIST"]);
    Ok(replies.finish("LIST", &"*"))
}

/// WHO of a channel, a mask or a nick: 352s and 315.
fn who(visibility: &Visibility, me: &Session, mask: &str) -> Result<Vec<Reply>> {
    let mut replies = Replies::new(me);
    match ChannelName::parse(mask) {
        Ok(name) => {
            if let Some(channel) = visibility.find_channel(&name)?
                && visibility.shown(&channel, me.id)? == Shown::Everything
            {
                let members =
                    membership::first_of_channel(visibility.tx, channel.id, WHO_LIMIT + 1)?;
                if members.len() > WHO_LIMIT {
                    replies.truncate();
                }
                for member in members.iter().take(WHO_LIMIT) {
                    let flags = (member.away, member.prefix());
                    let them = (member.session, &member.nick);
                    who_reply(&mut replies, channel.name.as_str(), them, flags);
                }
            }
        }
        Err(_) if mask.contains(['*', '?']) => {
            let (sessions, complete) = visibility.sessions(mask, WHO_LIMIT)?;
            sessions
                .iter()
                .for_each(|session| who_reply_of(&mut replies, session));
            if !complete {
                replies.truncate();
            }
        }
        Err(_) => {
            if let Some(session) = Nick::parse(mask)
                .ok()
                .map(|nick| visibility.find_session(&nick))
                .transpose()?
                .flatten()
            {
                who_reply_of(&mut replies, &session);
            }
        }
    }
    replies.end(RPL_ENDOFWHO, &[&mask, &"End of WHO list"]);
    Ok(replies.finish("WHO", &mask))
}

/// The 352 of a session, without a channel.
fn who_reply_of(replies: &mut Replies, them: &Session) {
    let flags = (them.away.is_some(), "");
    who_reply(replies, "*", (them.id, &them.nick), flags);
}

fn who_reply(
    replies: &mut Replies,
    channel: &str,
    (id, nick): (SessionId, &Nick),
    (away, prefix): (bool, &str),
) {
    let here = if away { "G" } else { "H" };
    let flags = format!("{here}{prefix}");
    let realname = format!("0 {nick}");
    replies.add(
        RPL_WHOREPLY,
        &[
            &channel,
            &session::user(id),
            &SERVER_NAME,
            &SERVER_NAME,
            nick,
            &flags,
            &realname,
        ],
    );
}

/// WHOIS of a nick: 311, 312, 319 if a channel is visible, 301 if the session is away, and 318. It
/// fails with `no_such_nick`.
fn whois(visibility: &Visibility, me: &Session, nick: &Nick) -> Result<Vec<Reply>> {
    let them = visibility.session(nick)?;
    let mut replies = vec![
        reply(
            me,
            RPL_WHOISUSER,
            &[&them.nick, &them.user(), &SERVER_NAME, &"*", &them.nick],
        ),
        reply(me, RPL_WHOISSERVER, &[&them.nick, &SERVER_NAME, &"Rejoin"]),
    ];
    let mut channels = Vec::new();
    for channel in visibility.channels_of(them.id)? {
        if visibility.shown(&channel, me.id)? != Shown::Everything {
            continue;
        }
        let member = membership::get(visibility.tx, channel.id, them.id)?;
        channels.push(format!(
            "{}{}",
            member.as_ref().map_or("", Member::prefix),
            channel.name
        ));
    }
    if !channels.is_empty() {
        replies.push(reply(
            me,
            RPL_WHOISCHANNELS,
            &[&them.nick, &channels.join(" ")],
        ));
    }
    if let Some(away) = &them.away {
        replies.push(reply(me, RPL_AWAY, &[&them.nick, away]));
    }
    replies.push(reply(
        me,
        RPL_ENDOFWHOIS,
        &[&them.nick, &"End of /WHOIS list"],
    ));
    Ok(replies)
}
