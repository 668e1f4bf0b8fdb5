//! The parsers of each verb's parameters.

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

/// The character that a CTCP message begins with.
const CTCP: char = '\u{1}';

/// `PASS <new> [<current>]`.
pub fn pass(params: &[String]) -> Result<Command> {
    let [new, current @ ..] = params else {
        unreachable!("PASS has at least one parameter")
    };
    if current.len() > 1 {
        let detail = "PASS takes a new password and the current one; one with spaces is one parameter, PASS :like this";
        return Err(Error::malformed(detail));
    }
    // Whether the new password is good enough depends on the session's nick.
    Ok(Command::Pass {
        new: Password::new(new),
        current: current.first().map(Password::new),
    })
}

/// `NICK <nick>`.
pub fn nick(params: &[String]) -> Result<Command> {
    let nick = Nick::parse(params.first().map_or("", String::as_str))?;
    Ok(Change::Nick(nick).into())
}

/// `JOIN <channel>{,<channel>} [<key>{,<key>}]`.
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

/// `PART <channel>{,<channel>} [<reason>]`.
pub fn part(params: &[String]) -> Result<Command> {
    let part = Change::Part {
        channels: channels(&params[0])?,
        reason: reason(params.get(1))?,
    };
    Ok(part.into())
}

/// `PRIVMSG <target>{,<target>} <text>`.
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

/// `NOTICE <target>{,<target>} <text>`. A NOTICE is never answered (RFC 1459 §4.4.2). One without a
/// target or with a refused text therefore goes to nobody.
pub fn notice(params: &[String]) -> Result<Command> {
    let (targets, text) = match (params, message_text(params)) {
        ([recipients, ..], Ok(text)) => (targets(recipients).unwrap_or_default(), text),
        _ => (Vec::new(), String::new()),
    };
    let to = None;
    Ok(Change::Notice { targets, text, to }.into())
}

/// The text of a PRIVMSG or NOTICE. It must be visible, and within the limits of bytes and lines.
fn message_text(params: &[String]) -> Result<String> {
    let text = params.get(1).cloned().unwrap_or_default();
    // A CTCP message is for programs and need not be visible.
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

/// `TOPIC <channel> [<text>]`.
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

/// `NAMES [<channel>{,<channel>}]`.
pub fn names(params: &[String]) -> Result<Command> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::Names(channels).into())
}

/// `LIST [<channel>{,<channel>}]`.
pub fn list(params: &[String]) -> Result<Command> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::List(channels).into())
}

/// `WHO <channel or mask>`, at most 64 bytes.
pub fn who(params: &[String]) -> Result<Command> {
    within(params[0].clone(), 64, "the mask").map(|mask| Query::Who(mask).into())
}

/// `WHOIS [<server>] <nick>`. There is only one server, so the last parameter is the nick.
pub fn whois(params: &[String]) -> Result<Command> {
    let nick = params.last().map_or("", String::as_str);
    match Target::parse(nick) {
        Ok(Target::Nick(nick)) => Ok(Query::Whois(nick).into()),
        _ if nick.is_empty() => Err(Error::new(Code::NoNicknameGiven, "no nickname given")),
        Ok(Target::Channel(name)) => Err(Error::no_such_nick(name.as_str())),
        Err(invalid) => Err(invalid.into()),
    }
}

/// `AWAY [<text>]`.
pub fn away(params: &[String]) -> Result<Command> {
    reason(params.first()).map(|text| Change::Away(text).into())
}

/// `KICK <channel> <nick>{,<nick>} [<reason>]`.
pub fn kick(params: &[String]) -> Result<Command> {
    let nicks = each(params[1].split(','), Nick::named, Nick::folded)?;
    let kick = Change::Kick {
        channel: existing_channel(&params[0])?,
        nicks,
        reason: reason(params.get(2))?,
    };
    Ok(kick.into())
}

/// `INVITE <nick> <channel>`.
pub fn invite(params: &[String]) -> Result<Command> {
    let invite = Change::Invite {
        nick: Nick::named(&params[0])?,
        channel: existing_channel(&params[1])?,
    };
    Ok(invite.into())
}

/// `MODE <channel> [<modes> [<parameter>…]]`, or `MODE <nick> [<modes>]`.
pub fn mode(params: &[String]) -> Result<Command> {
    match Target::parse(&params[0])? {
        Target::Channel(channel) => {
            let modes = params.get(1).map_or("", String::as_str);
            let changes = mode::parse_changes(modes, params.get(2..).unwrap_or_default()).map_err(
                |mut error| {
                    // These two numerics name the channel first, and the parser of modes does not
                    // know the channel.
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

/// `MARKREAD <target> [<id>]`.
pub fn mark_read(params: &[String]) -> Result<Command> {
    let id = params.get(1).map(|id| event_id(id)).transpose()?;
    let (target, to) = (Target::parse(&params[0])?, None);
    Ok(match id {
        Some(id) => Change::MarkRead { target, id, to }.into(),
        None => Query::ReadMarker { target, to }.into(),
    })
}

/// `SILENCE [+<mask>|-<mask>]`.
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

/// `ACK <id>`.
pub fn ack(params: &[String]) -> Result<Command> {
    event_id(&params[0]).map(|id| Query::Ack(id).into())
}

/// `PING <token>`.
pub fn ping(params: &[String]) -> Result<Command> {
    within(params[0].clone(), REASON_LIMIT, "the token").map(|token| Query::Ping(token).into())
}

/// `QUIT [<reason>]`.
pub fn quit(params: &[String]) -> Result<Command> {
    reason(params.first()).map(|text| Change::Quit(text).into())
}

/// Parses an event's id, as a position to read from or to acknowledge. Fails with
/// `malformed_request`, or with `invalid_cursor` for a negative id, which was never issued.
pub fn event_id(text: &str) -> Result<EventId> {
    let id = whole_number(text).ok_or_else(|| Error::malformed("an id is a whole number"))?;
    if id < 0 {
        return Err(Error::new(Code::InvalidCursor, "no event ever had this id"));
    }
    Ok(EventId(id))
}

/// Parses a session's id. Fails with `malformed_request` unless it is a whole number. An id that
/// was never issued belongs to no session.
pub fn session_id(text: &str) -> Result<SessionId> {
    whole_number(text)
        .map(SessionId)
        .ok_or_else(|| Error::malformed("a session's id is a whole number"))
}

/// Parses each item of a list by itself and drops repetitions. Fails with `too_many_targets` past
/// [`MAX_TARGETS`].
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

/// Parses the name of a channel that is not about to be created. A name that no channel can have
/// gives `no_such_channel`.
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
