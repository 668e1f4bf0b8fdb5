//! How each verb's parameters are read.

use std::collections::HashSet;

use super::{
    command::{Change, Command, MAX_TARGETS, Query, TargetResults},
    mode::{self, Mask, ModeChange},
};
use crate::{
    error::{Code, Error, Result},
    model::{
        ChannelName, EventId, LINES_LIMIT, Nick, Password, REASON_LIMIT, SessionId, TEXT_LIMIT,
        Target, text, whole_number,
    },
};

/// What a CTCP message begins with.
const CTCP: char = '\u{1}';

pub fn pass(params: &[String]) -> Result<Command> {
    let [new, current @ ..] = params else {
        unreachable!("PASS has at least one parameter")
    };
    if current.len() > 1 {
        let detail = "PASS takes a new password and the current one; one with spaces is one parameter, PASS :like this";
        return Err(Error::malformed(detail));
    }
    // Whether the new one will do depends on whose it is to be.
    Ok(Command::Pass {
        new: Password::new(new),
        current: current.first().map(Password::new),
    })
}

pub fn nick(params: &[String]) -> Result<Command> {
    let nick = Nick::parse(params.first().map_or("", String::as_str))?;
    Ok(Change::Nick(nick).into())
}

pub fn join(params: &[String]) -> Result<Command> {
    let mut keys = params.get(1).map_or("", String::as_str).split(',');
    let items = params[0].split(',').map(|name| {
        let key = keys.next().filter(|key| !key.is_empty()).map(str::to_owned);
        (name, key)
    });
    each(
        items,
        |(name, key)| ChannelName::parse(name).map(|name| (name, key)),
        |(name, _)| name.folded(),
    )
    .map(|channels| Change::Join(channels).into())
}

pub fn part(params: &[String]) -> Result<Command> {
    let part = Change::Part {
        channels: channels(&params[0])?,
        reason: reason(params.get(1))?,
    };
    Ok(part.into())
}

pub fn privmsg(params: &[String]) -> Result<Command> {
    let recipients = params.first().map_or("", String::as_str);
    if recipients.is_empty() {
        return Err(Error::new(
            Code::NoRecipient,
            "no recipient given (PRIVMSG)",
        ));
    }
    let text = message_text(params)?;
    let message = Change::Privmsg {
        targets: targets(recipients)?,
        text,
        to: None,
    };
    Ok(message.into())
}

/// RFC 1459 §4.4.2: a NOTICE is never answered, so one without recipient, or whose text is refused,
/// goes to nobody.
pub fn notice(params: &[String]) -> Result<Command> {
    let (targets, text) = match (params, message_text(params)) {
        ([recipients, ..], Ok(text)) => (targets(recipients).unwrap_or_default(), text),
        _ => (Vec::new(), String::new()),
    };
    let to = None;
    Ok(Change::Notice { targets, text, to }.into())
}

/// The text of a PRIVMSG or NOTICE: something that shows, at most so many bytes and lines.
fn message_text(params: &[String]) -> Result<String> {
    let text = params.get(1).cloned().unwrap_or_default();
    // What CTCP marks is for programs, and need not show.
    if text::is_blank(&text) && !text.starts_with(CTCP) {
        return Err(Error::new(Code::NoTextToSend, "no text to send"));
    }
    let text = within(text, TEXT_LIMIT, "the text")?;
    let breaks = text.matches('\n').count();
    if breaks >= LINES_LIMIT {
        return Err(Error::too_long("the text", LINES_LIMIT, "lines"));
    }
    if breaks > 0 && text.starts_with(CTCP) {
        return Err(Error::malformed("a CTCP message is one line"));
    }
    Ok(text)
}

pub fn topic(params: &[String]) -> Result<Command> {
    let text = params
        .get(1)
        .cloned()
        .map(|text| within(text, REASON_LIMIT, "the topic"))
        .transpose()?;
    let channel = existing_channel(&params[0])?;
    Ok(match text {
        Some(text) => Change::Topic { channel, text }.into(),
        None => Query::Topic(channel).into(),
    })
}

pub fn names(params: &[String]) -> Result<Command> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::Names(channels).into())
}

pub fn list(params: &[String]) -> Result<Command> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::List(channels).into())
}

pub fn who(params: &[String]) -> Result<Command> {
    within(params[0].clone(), 64, "the mask").map(|mask| Query::Who(mask).into())
}

/// `WHOIS [<server>] <nick>`: there is one server, so the last parameter is the nick.
pub fn whois(params: &[String]) -> Result<Command> {
    let nick = params.last().map_or("", String::as_str);
    match Target::parse(nick) {
        Ok(Target::Nick(nick)) => Ok(Query::Whois(nick).into()),
        _ if nick.is_empty() => Err(Error::new(Code::NoNicknameGiven, "no nickname given")),
        Ok(Target::Channel(name)) => Err(Error::no_such_nick(name.as_str())),
        Err(invalid) => Err(invalid.into()),
    }
}

pub fn away(params: &[String]) -> Result<Command> {
    reason(params.first()).map(|text| Change::Away(text).into())
}

pub fn kick(params: &[String]) -> Result<Command> {
    let nicks = each(params[1].split(','), Nick::named, Nick::folded)?;
    let kick = Change::Kick {
        channel: existing_channel(&params[0])?,
        nicks,
        reason: reason(params.get(2))?,
    };
    Ok(kick.into())
}

pub fn invite(params: &[String]) -> Result<Command> {
    let invite = Change::Invite {
        nick: Nick::named(&params[0])?,
        channel: existing_channel(&params[1])?,
    };
    Ok(invite.into())
}

pub fn mode(params: &[String]) -> Result<Command> {
    match Target::parse(&params[0])? {
        Target::Channel(channel) => {
            let modes = params.get(1).map_or("", String::as_str);
            let changes = mode::parse_changes(modes, params.get(2..).unwrap_or_default()).map_err(
                |mut error| {
                    // These two numerics name the channel first, which the parser of modes does not
                    // know.
                    if matches!(error.code, Code::InvalidModeParam | Code::InvalidKey) {
                        error.context.insert(0, channel.to_string());
                    }
                    error
                },
            )?;
            Ok(if changes.is_empty() {
                Query::Modes(channel).into()
            } else if changes.iter().all(ModeChange::asks) {
                Query::Bans(channel).into()
            } else {
                Change::Modes { channel, changes }.into()
            })
        }
        Target::Nick(nick) => {
            let changes = params.get(1).cloned();
            Ok(Query::UserModes { nick, changes }.into())
        }
    }
}

pub fn mark_read(params: &[String]) -> Result<Command> {
    let id = params.get(1).map(|id| event_id(id)).transpose()?;
    let (target, to) = (Target::parse(&params[0])?, None);
    Ok(match id {
        Some(id) => Change::MarkRead { target, id, to }.into(),
        None => Query::ReadMarker { target, to }.into(),
    })
}

pub fn silence(params: &[String]) -> Result<Command> {
    let Some(param) = params.first().filter(|param| !param.is_empty()) else {
        return Ok(Query::Silences.into());
    };
    let (mask, on) = match (param.strip_prefix('+'), param.strip_prefix('-')) {
        (Some(mask), _) => (mask, true),
        (_, Some(mask)) => (mask, false),
        _ => {
            return Err(Error::malformed(
                "a mask is added as +mask and removed as -mask",
            ));
        }
    };
    Ok(Change::Silence(Mask::parse(mask)?, on).into())
}

pub fn ack(params: &[String]) -> Result<Command> {
    event_id(&params[0]).map(|id| Query::Ack(id).into())
}

pub fn ping(params: &[String]) -> Result<Command> {
    within(params[0].clone(), REASON_LIMIT, "the token").map(|token| Query::Ping(token).into())
}

pub fn quit(params: &[String]) -> Result<Command> {
    reason(params.first()).map(|text| Change::Quit(text).into())
}

/// An event's id as a position to read from or to acknowledge. One below zero was never issued.
pub fn event_id(text: &str) -> Result<EventId> {
    let id = whole_number(text).ok_or_else(|| Error::malformed("an id is a whole number"))?;
    if id < 0 {
        return Err(Error::new(Code::InvalidCursor, "no event ever had this id"));
    }
    Ok(EventId(id))
}

/// A session's id. One that no session can have is that of nobody.
pub fn session_id(text: &str) -> Result<SessionId> {
    whole_number(text)
        .map(SessionId)
        .ok_or_else(|| Error::malformed("a session's id is a whole number"))
}

/// Parses each of a list of targets by itself, once for each that is named; too many refuse the
/// command.
fn each<I, T, E: Into<Error>>(
    items: impl Iterator<Item = I>,
    parse: impl Fn(I) -> Result<T, E>,
    folded: impl Fn(&T) -> String,
) -> Result<TargetResults<T>> {
    let mut seen = HashSet::new();
    let mut parsed = Vec::new();
    for item in items {
        match parse(item).map_err(Into::into) {
            Ok(item) if !seen.insert(folded(&item)) => {}
            _ if parsed.len() == MAX_TARGETS => {
                let detail = format!("a command has at most {MAX_TARGETS} targets");
                return Err(Error::new(Code::TooManyTargets, detail).about("*"));
            }
            other => parsed.push(other),
        }
    }
    Ok(parsed)
}

fn channels(names: &str) -> Result<TargetResults<ChannelName>> {
    each(names.split(','), existing_channel, ChannelName::folded)
}

fn targets(names: &str) -> Result<TargetResults<Target>> {
    each(names.split(','), Target::parse, Target::folded)
}

/// A channel that is spoken of, not made: a name that none can have names no channel.
fn existing_channel(name: &str) -> Result<ChannelName> {
    ChannelName::named(name).map_err(Error::from)
}

fn reason(text: Option<&String>) -> Result<Option<String>> {
    let text = text.filter(|text| !text.is_empty()).cloned();
    text.map(|text| within(text, REASON_LIMIT, "the text"))
        .transpose()
}

fn within(text: String, limit: usize, what: &str) -> Result<String> {
    if text.len() > limit {
        Err(Error::too_long(what, limit, "bytes"))
    } else {
        Ok(text)
    }
}
