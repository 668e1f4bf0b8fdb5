//! Queries: NAMES, LIST, WHO, WHOIS, and the forms of TOPIC and MODE that only ask.

use std::fmt::Display;

use crate::{
    chat::commands::replies::Replies,
    error::{Code, Error, Result},
    irc::{
        Reply,
        command::TargetResults,
        mode::{Flag, Shown},
        reply::*,
    },
    model::{ChannelName, Nick, SERVER_NAME},
    session::Visibility,
    store::{
        Read, ban,
        channel::{Channel, Topic},
        membership::{self, Member},
        session::{self, Session},
    },
};

/// Bytes of names in one 353, so that it fits a line of IRC.
const NAMES_BYTES: usize = 400;
/// Sessions in an answer to WHO, at most.
const WHO_LIMIT: usize = 500;
/// Channels in an answer to LIST, at most: the largest, and those that the session is on.
const LIST_LIMIT: usize = 500;

fn reply(me: &Session, numeric: &str, params: &[&dyn Display]) -> Reply {
    Reply::numeric(numeric, &me.nick, params)
}

/// TOPIC without a text: 332 and 333, or 331. It fails with `no_such_channel` or `not_on_channel`.
pub fn topic(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    if visibility.shown(&channel, me.id)? != Shown::Everything {
        return Err(Error::not_on_channel(&channel.name));
    }
    Ok(match &channel.topic {
        Some(topic) => topic_replies(me, &channel.name, topic).into(),
        None => vec![reply(me, RPL_NOTOPIC, &[&channel.name, &"No topic is set"])],
    })
}

/// A topic, and who set it when: 332 and 333.
pub fn topic_replies(me: &Session, name: &ChannelName, topic: &Topic) -> [Reply; 2] {
    [
        reply(me, RPL_TOPIC, &[name, &topic.text]),
        reply(
            me,
            RPL_TOPICWHOTIME,
            &[name, &topic.set_by, &topic.set_at.seconds()],
        ),
    ]
}

/// MODE of a channel: 324 and 329. It fails with `no_such_channel`.
pub fn modes(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    let inside = membership::get(visibility.tx, channel.id, me.id)?.is_some();
    let rendered = channel.modes.render(inside);
    let mut params: Vec<&dyn Display> = vec![&channel.name];
    let words: Vec<&str> = rendered.split(' ').collect();
    params.extend(words.iter().map(|word| word as &dyn Display));
    Ok(vec![
        reply(me, RPL_CHANNELMODEIS, &params),
        reply(
            me,
            RPL_CREATIONTIME,
            &[&channel.name, &channel.created_at.seconds()],
        ),
    ])
}

/// MODE of a nick: 221 without modes, because Rejoin has no user modes. It fails with
/// `users_dont_match` or `unknown_user_mode`.
pub fn user_modes(me: &Session, nick: &Nick, changes: Option<&str>) -> Result<Vec<Reply>> {
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
        None => Ok(vec![reply(me, RPL_UMODEIS, &[&"+"])]),
    }
}

/// The bans of a channel: 367s and 368.
pub fn bans(tx: &Read, me: &Session, channel: &Channel) -> Result<Vec<Reply>> {
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
pub fn own_bans(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    membership::get(visibility.tx, channel.id, me.id)?
        .ok_or_else(|| Error::not_on_channel(&channel.name))?;
    bans(visibility.tx, me, &channel)
}

/// NAMES of these channels, or without names of the session's own. A channel that does not exist
/// has an empty list, as in IRC, and so has one that does not show its members.
pub fn names(
    visibility: &Visibility,
    me: &Session,
    names: &TargetResults<ChannelName>,
) -> Result<Vec<Reply>> {
    let mut replies = Replies::new(me);
    if names.is_empty() {
        for channel in visibility.channels_of(me.id)? {
            if replies.is_truncated() {
                break;
            }
            names_of(visibility.tx, &mut replies, &channel)?;
        }
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

/// The 353s of a channel, as many as there is room for, and the 366.
pub fn names_of(tx: &Read, replies: &mut Replies, channel: &Channel) -> Result<()> {
    if replies.is_truncated() {
        end_of_names(replies, &channel.name);
        return Ok(());
    }
    let kind = if channel.modes.has(Flag::Secret) {
        "@"
    } else {
        "="
    };
    // A name takes at least two bytes, with the space after it.
    let members = membership::first_of_channel(tx, channel.id, replies.room() / 2 + 1)?;
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
    Ok(())
}

/// The 366 that ends a list of names.
pub fn end_of_names(replies: &mut Replies, name: &dyn Display) {
    replies.end(RPL_ENDOFNAMES, &[name, &"End of /NAMES list"]);
}

/// LIST of these channels, or without names of [`Visibility::listed_channels`]: 321, 322s and 323.
pub fn list(
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
pub fn who(visibility: &Visibility, me: &Session, mask: &str) -> Result<Vec<Reply>> {
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
                    let session = session::get(visibility.tx, member.session)?;
                    who_reply(&mut replies, channel.name.as_str(), &session, Some(member));
                }
            }
        }
        Err(_) if mask.contains(['*', '?']) => {
            let (people, complete) = visibility.sessions(mask, WHO_LIMIT)?;
            people
                .iter()
                .for_each(|session| who_reply(&mut replies, "*", session, None));
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
                who_reply(&mut replies, "*", &session, None);
            }
        }
    }
    replies.end(RPL_ENDOFWHO, &[&mask, &"End of WHO list"]);
    Ok(replies.finish("WHO", &mask))
}

fn who_reply(replies: &mut Replies, channel: &str, them: &Session, member: Option<&Member>) {
    let here = if them.away.is_some() { "G" } else { "H" };
    let flags = format!("{here}{}", member.map_or("", Member::prefix));
    let realname = format!("0 {}", them.nick);
    replies.add(
        RPL_WHOREPLY,
        &[
            &channel,
            &them.user(),
            &SERVER_NAME,
            &SERVER_NAME,
            &them.nick,
            &flags,
            &realname,
        ],
    );
}

/// WHOIS of a nick: 311, 312, 319 if a channel is visible, 301 if the session is away, and 318. It
/// fails with `no_such_nick`.
pub fn whois(visibility: &Visibility, me: &Session, nick: &Nick) -> Result<Vec<Reply>> {
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
