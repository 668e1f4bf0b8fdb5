//! The typed [`Command`] and the one table of verbs: parameters, scope, parser, and what help says of each.

use std::collections::HashSet;

use super::{
    message::Message,
    mode::{self, Change},
};
use crate::{
    error::{Code, Error, Result},
    model::{ChannelName, EventId, Nick, Password, REASON_LIMIT, Scope, TEXT_LIMIT, Target},
};

/// Targets of one command, at most.
pub const MAX_TARGETS: usize = 20;

/// The targets of a command, each good or refused by itself.
pub type Each<T> = Vec<Result<T>>;

/// What a client asks for, checked as far as it can be without the store. It prints itself without passwords.
#[derive(Clone, Debug)]
pub enum Command {
    Pass {
        new: Password,
        current: Option<Password>,
    },
    Nick(Nick),
    Join(Each<(ChannelName, Option<String>)>),
    Part {
        channels: Each<ChannelName>,
        reason: Option<String>,
    },
    Privmsg {
        targets: Each<Target>,
        text: String,
    },
    Notice {
        targets: Each<Target>,
        text: String,
    },
    Topic {
        channel: ChannelName,
        text: Option<String>,
    },
    /// Without channels: all of one's own.
    Names(Each<ChannelName>),
    /// Without channels: every one.
    List(Each<ChannelName>),
    Who(String),
    Whois(Nick),
    Away(Option<String>),
    Kick {
        channel: ChannelName,
        nicks: Each<Nick>,
        reason: Option<String>,
    },
    Invite {
        nick: Nick,
        channel: ChannelName,
    },
    Mode {
        channel: ChannelName,
        changes: Vec<Change>,
    },
    UserMode {
        nick: Nick,
        changes: Option<String>,
    },
    MarkRead {
        target: Target,
        id: Option<EventId>,
    },
    Ack(EventId),
    Ping(String),
    Quit(Option<String>),
}

/// A row of the table of verbs.
pub struct Verb {
    pub name: &'static str,
    /// Parameters needed at least; the verbs that have an error of their own for missing ones say 0.
    min_params: usize,
    pub scope: Scope,
    /// Whether it changes nothing, so that it can run on a reading connection.
    pub reads: bool,
    pub syntax: &'static str,
    pub help: &'static str,
    parse: fn(&[String]) -> Result<Command>,
}

#[rustfmt::skip]
pub const VERBS: &[Verb] = &[
    Verb { name: "PASS",     min_params: 1, scope: Scope::SessionManage, reads: false, parse: pass,
           syntax: "PASS <new> [<current>]", help: "sets the session's password; the current one is needed once one is set" },
    Verb { name: "NICK",     min_params: 0, scope: Scope::SessionManage, reads: false, parse: nick,
           syntax: "NICK <nick>", help: "renames the session" },
    Verb { name: "JOIN",     min_params: 1, scope: Scope::ChatWrite, reads: false, parse: join,
           syntax: "JOIN <channel>{,<channel>} [<key>{,<key>}]", help: "joins channels; one that does not exist is made" },
    Verb { name: "PART",     min_params: 1, scope: Scope::ChatWrite, reads: false, parse: part,
           syntax: "PART <channel>{,<channel>} [<reason>]", help: "leaves channels" },
    Verb { name: "PRIVMSG",  min_params: 0, scope: Scope::ChatWrite, reads: false, parse: privmsg,
           syntax: "PRIVMSG <target>{,<target>} <text>", help: "says something to channels and nicks" },
    Verb { name: "NOTICE",   min_params: 0, scope: Scope::ChatWrite, reads: false, parse: notice,
           syntax: "NOTICE <target>{,<target>} <text>", help: "says something that wants no answer, and never fails" },
    Verb { name: "TOPIC",    min_params: 1, scope: Scope::ChatWrite, reads: false, parse: topic,
           syntax: "TOPIC <channel> [<text>]", help: "shows or sets a channel's topic; an empty one clears it" },
    Verb { name: "NAMES",    min_params: 0, scope: Scope::ChatRead, reads: true, parse: names,
           syntax: "NAMES [<channel>{,<channel>}]", help: "lists who is on channels" },
    Verb { name: "LIST",     min_params: 0, scope: Scope::ChatRead, reads: true, parse: list,
           syntax: "LIST [<channel>{,<channel>}]", help: "lists channels with their members and topics" },
    Verb { name: "WHO",      min_params: 1, scope: Scope::ChatRead, reads: true, parse: who,
           syntax: "WHO <channel or mask>", help: "lists who is on a channel, or whose nick fits a mask" },
    Verb { name: "WHOIS",    min_params: 0, scope: Scope::ChatRead, reads: true, parse: whois,
           syntax: "WHOIS <nick>", help: "tells of one person" },
    Verb { name: "AWAY",     min_params: 0, scope: Scope::ChatWrite, reads: false, parse: away,
           syntax: "AWAY [<text>]", help: "says that one is away, or, without a text, back" },
    Verb { name: "KICK",     min_params: 2, scope: Scope::ChatModerate, reads: false, parse: kick,
           syntax: "KICK <channel> <nick>{,<nick>} [<reason>]", help: "removes somebody from a channel" },
    Verb { name: "INVITE",   min_params: 2, scope: Scope::ChatModerate, reads: false, parse: invite,
           syntax: "INVITE <nick> <channel>", help: "invites somebody to a channel" },
    Verb { name: "MODE",     min_params: 1, scope: Scope::ChatModerate, reads: false, parse: mode,
           syntax: "MODE <channel> [<modes> [<parameter>…]]", help: "shows or changes a channel's modes" },
    Verb { name: "MARKREAD", min_params: 1, scope: Scope::ChatWrite, reads: false, parse: mark_read,
           syntax: "MARKREAD <target> [<id>]", help: "moves the session's read mark forward, or shows it" },
    Verb { name: "ACK",      min_params: 1, scope: Scope::Any, reads: true, parse: ack,
           syntax: "ACK <id>", help: "acknowledges this client's queue up to an id" },
    Verb { name: "PING",     min_params: 1, scope: Scope::Any, reads: true, parse: ping,
           syntax: "PING <token>", help: "is answered with PONG" },
    Verb { name: "QUIT",     min_params: 0, scope: Scope::Any, reads: false, parse: quit,
           syntax: "QUIT [<reason>]", help: "this client leaves; the session ends with the last one" },
];

impl Command {
    /// Makes a command of a message; also its row in the table.
    pub fn parse(message: &Message) -> Result<(&'static Verb, Self)> {
        let name = message.command.to_ascii_uppercase();
        let Some(verb) = VERBS.iter().find(|verb| verb.name == name) else {
            let shown: String = name.chars().take(32).filter(|c| !c.is_control() && *c != ' ').collect();
            return Err(Error::new(Code::UnknownCommand, "unknown command").about(shown));
        };
        if message.params.len() < verb.min_params {
            return Err(Error::new(Code::NeedMoreParams, format!("the form is: {}", verb.syntax)).about(verb.name));
        }
        Ok((verb, (verb.parse)(&message.params)?))
    }
}

fn pass(params: &[String]) -> Result<Command> {
    let [new, current @ ..] = params else { unreachable!("PASS has at least one parameter") };
    if current.len() > 1 {
        let detail = "PASS takes a new password and the current one; one with spaces is one parameter, PASS :like this";
        return Err(Error::malformed(detail));
    }
    let new = Password::new(new);
    new.check_strength()?;
    Ok(Command::Pass { new, current: current.first().map(Password::new) })
}

fn nick(params: &[String]) -> Result<Command> {
    Nick::parse(params.first().map_or("", String::as_str)).map(Command::Nick)
}

fn join(params: &[String]) -> Result<Command> {
    let mut keys = params.get(1).map_or("", String::as_str).split(',');
    let items = params[0].split(',').map(|name| {
        let key = keys.next().filter(|key| !key.is_empty()).map(str::to_owned);
        (name, key)
    });
    each(items, |(name, key)| Ok((ChannelName::parse(name)?, key)), |(name, _)| name.folded()).map(Command::Join)
}

fn part(params: &[String]) -> Result<Command> {
    Ok(Command::Part { channels: channels(&params[0])?, reason: reason(params.get(1))? })
}

fn privmsg(params: &[String]) -> Result<Command> {
    let recipients = params.first().map_or("", String::as_str);
    if recipients.is_empty() {
        return Err(Error::new(Code::NoRecipient, "no recipient given (PRIVMSG)"));
    }
    let text = params.get(1).cloned().unwrap_or_default();
    if text.is_empty() {
        return Err(Error::new(Code::NoTextToSend, "no text to send"));
    }
    Ok(Command::Privmsg { targets: targets(recipients)?, text: within(text, TEXT_LIMIT, "the text")? })
}

/// RFC 1459 §4.4.2: a NOTICE is never answered, so one without recipient or text, or with too much, goes to nobody.
fn notice(params: &[String]) -> Result<Command> {
    match params {
        [recipients, text, ..] if (1..=TEXT_LIMIT).contains(&text.len()) => {
            Ok(Command::Notice { targets: targets(recipients).unwrap_or_default(), text: text.clone() })
        }
        _ => Ok(Command::Notice { targets: Vec::new(), text: String::new() }),
    }
}

fn topic(params: &[String]) -> Result<Command> {
    let text = params.get(1).cloned().map(|text| within(text, REASON_LIMIT, "the topic")).transpose()?;
    Ok(Command::Topic { channel: existing_channel(&params[0])?, text })
}

fn names(params: &[String]) -> Result<Command> {
    params.first().map_or(Ok(Vec::new()), |names| channels(names)).map(Command::Names)
}

fn list(params: &[String]) -> Result<Command> {
    params.first().map_or(Ok(Vec::new()), |names| channels(names)).map(Command::List)
}

fn who(params: &[String]) -> Result<Command> {
    within(params[0].clone(), 64, "the mask").map(Command::Who)
}

/// `WHOIS [<server>] <nick>`: there is one server, so the last parameter is the nick.
fn whois(params: &[String]) -> Result<Command> {
    let nick = params.last().map_or("", String::as_str);
    match Target::parse(nick) {
        Ok(Target::Nick(nick)) => Ok(Command::Whois(nick)),
        _ if nick.is_empty() => Err(Error::new(Code::NoNicknameGiven, "no nickname given")),
        Ok(Target::Channel(name)) => Err(Error::no_such_nick(name.as_str())),
        Err(error) => Err(error),
    }
}

fn away(params: &[String]) -> Result<Command> {
    reason(params.first()).map(Command::Away)
}

fn kick(params: &[String]) -> Result<Command> {
    let nicks = each(params[1].split(','), Nick::named, Nick::folded)?;
    Ok(Command::Kick { channel: existing_channel(&params[0])?, nicks, reason: reason(params.get(2))? })
}

fn invite(params: &[String]) -> Result<Command> {
    Ok(Command::Invite { nick: Nick::named(&params[0])?, channel: existing_channel(&params[1])? })
}

fn mode(params: &[String]) -> Result<Command> {
    match Target::parse(&params[0])? {
        Target::Channel(channel) => {
            let modes = params.get(1).map_or("", String::as_str);
            let changes = mode::parse_changes(modes, params.get(2..).unwrap_or_default()).map_err(|mut error| {
                // These two numerics name the channel first, which the parser of modes does not know.
                if matches!(error.code, Code::InvalidModeParam | Code::InvalidKey) {
                    error.context.insert(0, channel.to_string());
                }
                error
            })?;
            Ok(Command::Mode { channel, changes })
        }
        Target::Nick(nick) => Ok(Command::UserMode { nick, changes: params.get(1).cloned() }),
    }
}

fn mark_read(params: &[String]) -> Result<Command> {
    let id = params.get(1).map(|id| event_id(id)).transpose()?;
    Ok(Command::MarkRead { target: Target::parse(&params[0])?, id })
}

fn ack(params: &[String]) -> Result<Command> {
    event_id(&params[0]).map(Command::Ack)
}

fn ping(params: &[String]) -> Result<Command> {
    within(params[0].clone(), REASON_LIMIT, "the token").map(Command::Ping)
}

fn quit(params: &[String]) -> Result<Command> {
    reason(params.first()).map(Command::Quit)
}

/// An event's id as a position to read from or to acknowledge. One below zero was never issued.
pub fn event_id(text: &str) -> Result<EventId> {
    let id: i64 = text.parse().map_err(|_| Error::malformed("an id is a whole number"))?;
    if id < 0 {
        return Err(Error::new(Code::InvalidCursor, "no event ever had this id"));
    }
    Ok(EventId(id))
}

/// Parses each of a list of targets by itself, once for each that is named; too many refuse the command.
fn each<I, T>(
    items: impl Iterator<Item = I>,
    parse: impl Fn(I) -> Result<T>,
    folded: impl Fn(&T) -> String,
) -> Result<Each<T>> {
    let mut seen = HashSet::new();
    let mut parsed = Vec::new();
    for item in items {
        if parsed.len() == MAX_TARGETS {
            let detail = format!("a command has at most {MAX_TARGETS} targets");
            return Err(Error::new(Code::TooManyTargets, detail).about("*"));
        }
        match parse(item) {
            Ok(item) if !seen.insert(folded(&item)) => {}
            other => parsed.push(other),
        }
    }
    Ok(parsed)
}

fn channels(names: &str) -> Result<Each<ChannelName>> {
    each(names.split(','), existing_channel, ChannelName::folded)
}

fn targets(names: &str) -> Result<Each<Target>> {
    each(names.split(','), Target::parse, Target::folded)
}

/// A channel that is spoken of, not made: a name that none can have names no channel.
fn existing_channel(name: &str) -> Result<ChannelName> {
    ChannelName::parse(name).map_err(|error| Error {
        code: Code::NoSuchChannel,
        detail: "no such channel".into(),
        ..error
    })
}

fn reason(text: Option<&String>) -> Result<Option<String>> {
    let text = text.filter(|text| !text.is_empty()).cloned();
    text.map(|text| within(text, REASON_LIMIT, "the text")).transpose()
}

fn within(text: String, limit: usize, what: &str) -> Result<String> {
    if text.len() > limit { Err(Error::too_long(what, limit, "bytes")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command> {
        Command::parse(&Message::parse_line(line)?).map(|(_, command)| command)
    }

    fn refusal(line: &str) -> Code {
        parse(line).expect_err(line).code
    }

    #[test]
    fn the_table_tells_of_every_verb_once() {
        let mut names = HashSet::new();
        for verb in VERBS {
            assert!(names.insert(verb.name) && verb.syntax.starts_with(verb.name) && !verb.help.is_empty());
        }
    }

    #[test]
    fn each_refusal_has_its_code() {
        for (line, code) in [
            ("FROBNICATE x", Code::UnknownCommand),
            ("JOIN", Code::NeedMoreParams),
            ("KICK #a", Code::NeedMoreParams),
            ("NICK", Code::NoNicknameGiven),
            ("NICK :", Code::NoNicknameGiven),
            ("NICK 0", Code::ErroneousNickname),
            ("PRIVMSG", Code::NoRecipient),
            ("PRIVMSG bob", Code::NoTextToSend),
            ("PRIVMSG bob :", Code::NoTextToSend),
            ("PASS short", Code::WeakPassword),
            ("PASS one two three", Code::MalformedRequest),
            ("TOPIC rust", Code::NoSuchChannel),
            ("MODE #a +z", Code::UnknownMode),
            ("ACK x", Code::MalformedRequest),
            ("ACK -1", Code::InvalidCursor),
            ("ACK 99999999999999999999", Code::MalformedRequest),
        ] {
            assert_eq!(refusal(line), code, "{line}");
        }
        assert_eq!(refusal(&format!("PRIVMSG bob :{}", "x".repeat(4097))), Code::InputTooLong);
        assert!(parse(&format!("PRIVMSG bob :{}", "x".repeat(4096))).is_ok());
        let many = (0..21).map(|n| format!("#c{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(refusal(&format!("JOIN {many}")), Code::TooManyTargets);
    }

    #[test]
    fn targets_are_judged_one_by_one_and_named_once() {
        let Command::Join(items) = parse("join #a,bad,#A,#b k").unwrap() else { panic!() };
        let seen: Vec<_> = items
            .iter()
            .map(|item| item.as_ref().map(|(name, key)| (name.as_str(), key.as_deref())).map_err(|e| e.code))
            .collect();
        assert_eq!(seen, [Ok(("#a", Some("k"))), Err(Code::BadChannelName), Ok(("#b", None))]);
        let Command::Join(items) = parse("JOIN #a,#b k1,k2").unwrap() else { panic!() };
        assert_eq!(items[1].as_ref().unwrap().1.as_deref(), Some("k2"));
    }

    #[test]
    fn a_notice_never_fails() {
        let long = format!("NOTICE bob :{}", "x".repeat(4097));
        for line in ["NOTICE", "NOTICE bob", "NOTICE 0 x", "NOTICE , x", &long] {
            assert!(matches!(parse(line), Ok(Command::Notice { .. })), "{line}");
        }
    }

    #[test]
    fn a_command_prints_itself_without_passwords() {
        let shown = format!("{:?}", parse("PASS :correct horse battery").unwrap());
        assert_eq!(shown, "Pass { new: Password(…), current: None }");
    }
}
