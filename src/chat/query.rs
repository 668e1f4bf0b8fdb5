//! What only asks: NAMES, LIST, WHO, WHOIS, and the showing forms of TOPIC and MODE.

use std::fmt::Display;

use crate::{
    error::{Code, Error, Result},
    irc::{
        Reply,
        command::Each,
        mode::{Flag, Shown, glob},
        reply::*,
    },
    model::{ChannelName, Nick, SERVER_NAME},
    store::{
        Read, ban,
        channel::{Channel, Topic},
        member::{self, Member},
        session::{self, Session},
        sight::Sight,
    },
};

/// Bytes of names in one 353, so that it fits a line of IRC.
const NAMES_BYTES: usize = 400;
/// Answers to a WHO with a mask, at most.
const WHO_LIMIT: usize = 200;

fn reply(me: &Session, numeric: &str, params: &[&dyn Display]) -> Reply {
    Reply::numeric(numeric, &me.nick, params)
}

pub fn topic(sight: &Sight, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = sight.channel(name)?;
    if sight.shown(&channel, me.id)? != Shown::Everything {
        return Err(Error::not_on_channel(&channel.name));
    }
    Ok(match &channel.topic {
        Some(topic) => topic_replies(me, &channel.name, topic).into(),
        None => vec![reply(me, RPL_NOTOPIC, &[&channel.name, &"No topic is set"])],
    })
}

pub fn topic_replies(me: &Session, name: &ChannelName, topic: &Topic) -> [Reply; 2] {
    [
        reply(me, RPL_TOPIC, &[name, &topic.text]),
        reply(me, RPL_TOPICWHOTIME, &[name, &topic.set_by, &topic.set_at.seconds()]),
    ]
}

pub fn modes(sight: &Sight, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = sight.channel(name)?;
    let inside = member::get(sight.tx, channel.id, me.id)?.is_some();
    let rendered = channel.modes.render(inside);
    let mut params: Vec<&dyn Display> = vec![&channel.name];
    let words: Vec<&str> = rendered.split(' ').collect();
    params.extend(words.iter().map(|word| word as &dyn Display));
    Ok(vec![
        reply(me, RPL_CHANNELMODEIS, &params),
        reply(me, RPL_CREATIONTIME, &[&channel.name, &channel.created_at.seconds()]),
    ])
}

/// People have no modes of their own here.
pub fn user_modes(me: &Session, nick: &Nick, changes: Option<&str>) -> Result<Vec<Reply>> {
    if nick.folded() != me.nick.folded() {
        return Err(Error::new(Code::UsersDontMatch, "cannot show or change modes for other users"));
    }
    match changes {
        Some(_) => Err(Error::new(Code::UnknownUserMode, "there are no user modes here")),
        None => Ok(vec![reply(me, RPL_UMODEIS, &[&"+"])]),
    }
}

pub fn bans(tx: &Read, me: &Session, channel: &Channel) -> Result<Vec<Reply>> {
    let bans = ban::list(tx, channel.id)?;
    let replies = bans.iter().map(|ban| {
        reply(me, RPL_BANLIST, &[&channel.name, &ban.mask.mask.as_str(), &ban.set_by, &ban.set_at.seconds()])
    });
    Ok(replies.chain([reply(me, RPL_ENDOFBANLIST, &[&channel.name, &"End of channel ban list"])]).collect())
}

/// NAMES of channels, or of one's own. A channel that does not exist has an empty list, as in IRC, and so has one that does
/// not show its members.
pub fn names(sight: &Sight, me: &Session, names: &Each<ChannelName>) -> Result<Vec<Reply>> {
    if names.is_empty() {
        let mut replies = Vec::new();
        for channel in sight.channels_of(me.id)? {
            replies.extend(names_of(sight.tx, me, &channel)?);
        }
        if replies.is_empty() {
            replies.push(end_of_names(me, &"*"));
        }
        return Ok(replies);
    }
    let mut replies = Vec::new();
    for name in names {
        match name {
            Ok(name) => match sight.find_channel(name)? {
                Some(channel) if sight.shown(&channel, me.id)? == Shown::Everything => {
                    replies.extend(names_of(sight.tx, me, &channel)?);
                }
                _ => replies.push(end_of_names(me, name)),
            },
            Err(error) => replies.push(end_of_names(me, &error.context.join(" "))),
        }
    }
    Ok(replies)
}

/// The 353s of a channel, and the 366.
pub fn names_of(tx: &Read, me: &Session, channel: &Channel) -> Result<Vec<Reply>> {
    let mut lines = vec![String::new()];
    for member in member::of_channel(tx, channel.id)? {
        let name = format!("{}{}", member.prefix(), member.nick);
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = name,
            Some(line) if line.len() + name.len() < NAMES_BYTES => {
                line.push(' ');
                line.push_str(&name);
            }
            _ => lines.push(name),
        }
    }
    let kind = if channel.modes.has(Flag::Secret) { "@" } else { "=" };
    let replies = lines.iter().map(|line| reply(me, RPL_NAMREPLY, &[&kind, &channel.name, line]));
    Ok(replies.chain([end_of_names(me, &channel.name)]).collect())
}

fn end_of_names(me: &Session, name: &dyn Display) -> Reply {
    reply(me, RPL_ENDOFNAMES, &[name, &"End of /NAMES list"])
}

pub fn list(sight: &Sight, me: &Session, names: &Each<ChannelName>) -> Result<Vec<Reply>> {
    let mut channels = Vec::new();
    if names.is_empty() {
        channels = sight.channels()?;
    }
    for name in names.iter().flatten() {
        if let Some(channel) = sight.find_channel(name)? {
            let members = member::count(sight.tx, channel.id)?;
            channels.push((channel, members));
        }
    }
    let mut replies = vec![reply(me, RPL_LISTSTART, &[&"Channel", &"Users  Name"])];
    for (channel, members) in &channels {
        match sight.shown(channel, me.id)? {
            Shown::Nothing => {}
            Shown::Name => replies.push(reply(me, RPL_LIST, &[&channel.name, &0, &""])),
            Shown::Everything => {
                let topic = channel.topic.as_ref().map_or("", |topic| topic.text.as_str());
                replies.push(reply(me, RPL_LIST, &[&channel.name, members, &topic]));
            }
        }
    }
    replies.push(reply(me, RPL_LISTEND, &[&"End of /LIST"]));
    Ok(replies)
}

pub fn who(sight: &Sight, me: &Session, mask: &str) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    match ChannelName::parse(mask) {
        Ok(name) => {
            if let Some(channel) = sight.find_channel(&name)?
                && sight.shown(&channel, me.id)? == Shown::Everything
            {
                for member in member::of_channel(sight.tx, channel.id)? {
                    let session = session::get(sight.tx, member.session)?;
                    replies.push(who_reply(me, channel.name.as_str(), &session, Some(&member)));
                }
            }
        }
        Err(_) if mask.contains(['*', '?']) => {
            let fitting = sight.people()?.into_iter().filter(|s| glob(mask, s.nick.as_str())).take(WHO_LIMIT);
            replies.extend(fitting.map(|session| who_reply(me, "*", &session, None)));
        }
        Err(_) => {
            if let Some(session) = Nick::parse(mask).ok().map(|nick| sight.find_person(&nick)).transpose()?.flatten() {
                replies.push(who_reply(me, "*", &session, None));
            }
        }
    }
    replies.push(reply(me, RPL_ENDOFWHO, &[&mask, &"End of WHO list"]));
    Ok(replies)
}

fn who_reply(me: &Session, channel: &str, them: &Session, member: Option<&Member>) -> Reply {
    let here = if them.away.is_some() { "G" } else { "H" };
    let flags = format!("{here}{}", member.map_or("", Member::prefix));
    let realname = format!("0 {}", them.nick);
    reply(me, RPL_WHOREPLY, &[&channel, &them.user(), &SERVER_NAME, &SERVER_NAME, &them.nick, &flags, &realname])
}

pub fn whois(sight: &Sight, me: &Session, nick: &Nick) -> Result<Vec<Reply>> {
    let them = sight.person(nick)?;
    let mut replies = vec![
        reply(me, RPL_WHOISUSER, &[&them.nick, &them.user(), &SERVER_NAME, &"*", &them.nick]),
        reply(me, RPL_WHOISSERVER, &[&them.nick, &SERVER_NAME, &"Rejoin"]),
    ];
    let mut channels = Vec::new();
    for channel in sight.channels_of(them.id)? {
        if sight.shown(&channel, me.id)? != Shown::Everything {
            continue;
        }
        let member = member::get(sight.tx, channel.id, them.id)?;
        channels.push(format!("{}{}", member.as_ref().map_or("", Member::prefix), channel.name));
    }
    if !channels.is_empty() {
        replies.push(reply(me, RPL_WHOISCHANNELS, &[&them.nick, &channels.join(" ")]));
    }
    if let Some(away) = &them.away {
        replies.push(reply(me, RPL_AWAY, &[&them.nick, away]));
    }
    replies.push(reply(me, RPL_ENDOFWHOIS, &[&them.nick, &"End of /WHOIS list"]));
    Ok(replies)
}
