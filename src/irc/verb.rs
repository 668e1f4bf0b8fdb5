//! The one table of verbs: parameters, scope, parser, and what help says of each.

use super::{command::Command, message::Message, params};
use crate::{
    error::{Code, Error, Result},
    model::Scope,
};

/// A row of the table of verbs.
pub struct Verb {
    pub name: &'static str,
    /// Parameters needed at least; the verbs that have an error of their own for missing ones say
    /// 0.
    min_params: usize,
    pub scope: Scope,
    /// Whether it changes nothing, so that it can run on a reading connection.
    pub reads: bool,
    pub syntax: &'static str,
    pub help: &'static str,
    parse: fn(&[String]) -> Result<Command>,
}

impl Verb {
    /// The row of a verb, in whatever case it is written.
    pub fn find(name: &str) -> Option<&'static Self> {
        VERBS
            .iter()
            .find(|verb| verb.name.eq_ignore_ascii_case(name))
    }

    /// Whether it is one transaction of the writer, so that others may follow it without waiting:
    /// they come after it.
    pub fn is_one_write(&self) -> bool {
        !self.reads && self.name != "PASS"
    }
}

#[rustfmt::skip]
pub const VERBS: &[Verb] = &[
    Verb { name: "PASS",     min_params: 1, scope: Scope::SessionManage, reads: false, parse: params::pass,
           syntax: "PASS <new> [<current>]", help: "sets the session's password; the current one is needed once one is set" },
    Verb { name: "NICK",     min_params: 0, scope: Scope::SessionManage, reads: false, parse: params::nick,
           syntax: "NICK <nick>", help: "renames the session" },
    Verb { name: "JOIN",     min_params: 1, scope: Scope::ChatWrite, reads: false, parse: params::join,
           syntax: "JOIN <channel>{,<channel>} [<key>{,<key>}]", help: "joins channels; one that does not exist is made" },
    Verb { name: "PART",     min_params: 1, scope: Scope::ChatWrite, reads: false, parse: params::part,
           syntax: "PART <channel>{,<channel>} [<reason>]", help: "leaves channels" },
    Verb { name: "PRIVMSG",  min_params: 0, scope: Scope::ChatWrite, reads: false, parse: params::privmsg,
           syntax: "PRIVMSG <target>{,<target>} <text>", help: "says something to channels and nicks" },
    Verb { name: "NOTICE",   min_params: 0, scope: Scope::ChatWrite, reads: false, parse: params::notice,
           syntax: "NOTICE <target>{,<target>} <text>", help: "says something that wants no answer, and never fails" },
    Verb { name: "TOPIC",    min_params: 1, scope: Scope::ChatWrite, reads: false, parse: params::topic,
           syntax: "TOPIC <channel> [<text>]", help: "shows or sets a channel's topic; an empty one clears it" },
    Verb { name: "NAMES",    min_params: 0, scope: Scope::ChatRead, reads: true, parse: params::names,
           syntax: "NAMES [<channel>{,<channel>}]", help: "lists who is on channels" },
    Verb { name: "LIST",     min_params: 0, scope: Scope::ChatRead, reads: true, parse: params::list,
           syntax: "LIST [<channel>{,<channel>}]", help: "lists channels with their members and topics" },
    Verb { name: "WHO",      min_params: 1, scope: Scope::ChatRead, reads: true, parse: params::who,
           syntax: "WHO <channel or mask>", help: "lists who is on a channel, or whose nick fits a mask" },
    Verb { name: "WHOIS",    min_params: 0, scope: Scope::ChatRead, reads: true, parse: params::whois,
           syntax: "WHOIS <nick>", help: "tells of one person" },
    Verb { name: "AWAY",     min_params: 0, scope: Scope::ChatWrite, reads: false, parse: params::away,
           syntax: "AWAY [<text>]", help: "says that one is away, or, without a text, back" },
    Verb { name: "KICK",     min_params: 2, scope: Scope::ChatModerate, reads: false, parse: params::kick,
           syntax: "KICK <channel> <nick>{,<nick>} [<reason>]", help: "removes somebody from a channel" },
    Verb { name: "INVITE",   min_params: 2, scope: Scope::ChatModerate, reads: false, parse: params::invite,
           syntax: "INVITE <nick> <channel>", help: "invites somebody to a channel" },
    Verb { name: "MODE",     min_params: 1, scope: Scope::ChatModerate, reads: false, parse: params::mode,
           syntax: "MODE <channel> [<modes> [<parameter>…]]", help: "shows or changes a channel's modes" },
    Verb { name: "SILENCE",  min_params: 0, scope: Scope::SessionManage, reads: false, parse: params::silence,
           syntax: "SILENCE [+<mask>|-<mask>]", help: "blocks direct messages and invitations from senders that match a mask" },
    Verb { name: "MARKREAD", min_params: 1, scope: Scope::ChatWrite, reads: false, parse: params::mark_read,
           syntax: "MARKREAD <target> [<id>]", help: "moves the session's read mark forward, or shows it" },
    Verb { name: "ACK",      min_params: 1, scope: Scope::Any, reads: true, parse: params::ack,
           syntax: "ACK <id>", help: "acknowledges this client's queue up to an id" },
    Verb { name: "PING",     min_params: 1, scope: Scope::Any, reads: true, parse: params::ping,
           syntax: "PING <token>", help: "is answered with PONG" },
    Verb { name: "QUIT",     min_params: 0, scope: Scope::Any, reads: false, parse: params::quit,
           syntax: "QUIT [<reason>]", help: "this client leaves; the session ends with the last one" },
];

impl Command {
    /// Makes a command of a message; also its row in the table.
    pub fn parse(message: &Message) -> Result<(&'static Verb, Self)> {
        let Some(verb) = Verb::find(&message.command) else {
            let name = message.command.to_ascii_uppercase();
            let shown: String = name
                .chars()
                .take(32)
                .filter(|c| !c.is_control() && *c != ' ')
                .collect();
            return Err(Error::new(Code::UnknownCommand, "unknown command").about(shown));
        };
        if message.params.len() < verb.min_params {
            return Err(Error::new(
                Code::NeedMoreParams,
                format!("the form is: {}", verb.syntax),
            )
            .about(verb.name));
        }
        let command = (verb.parse)(&message.params)?;
        Ok((verb, command.addressed(message.to)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
            assert!(
                names.insert(verb.name)
                    && verb.syntax.starts_with(verb.name)
                    && !verb.help.is_empty()
            );
        }
    }

    #[test]
    fn what_a_verb_reads_only_asks() {
        for verb in VERBS.iter().filter(|verb| verb.reads) {
            let args = vec!["#c".to_owned(); verb.min_params.max(1)];
            if let Ok(command) = (verb.parse)(&args) {
                assert!(command.asks() && command.size() == (0, 0), "{}", verb.name);
            }
        }
        for (line, asks) in [
            ("TOPIC #c", true),
            ("TOPIC #c :", false),
            ("MODE #c", true),
            ("MODE #c b", true),
            ("MODE #c +n", false),
        ] {
            assert_eq!(parse(line).unwrap().asks(), asks, "{line}");
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
            ("PASS one two three", Code::MalformedRequest),
            ("TOPIC rust", Code::NoSuchChannel),
            ("MODE #a +z", Code::UnknownMode),
            ("SILENCE mallory", Code::MalformedRequest),
            ("SILENCE +", Code::MalformedRequest),
            ("SILENCE +a,b", Code::MalformedRequest),
            ("ACK x", Code::MalformedRequest),
            ("ACK -1", Code::InvalidCursor),
            ("ACK 99999999999999999999", Code::MalformedRequest),
        ] {
            assert_eq!(refusal(line), code, "{line}");
        }
        assert_eq!(
            refusal(&format!("PRIVMSG bob :{}", "x".repeat(4097))),
            Code::InputTooLong
        );
        assert!(parse(&format!("PRIVMSG bob :{}", "x".repeat(4096))).is_ok());
        let many = (0..21)
            .map(|n| format!("#c{n}"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(refusal(&format!("JOIN {many}")), Code::TooManyTargets);
        assert!(
            parse(&format!("JOIN {}", many.replace("#c20", "#C0"))).is_ok(),
            "the 21st is the first again"
        );
    }

    #[test]
    fn targets_are_judged_one_by_one_and_named_once() {
        let Command::Join(items) = parse("join #a,bad,#A,#b k").unwrap() else {
            panic!()
        };
        let seen: Vec<_> = items
            .iter()
            .map(|item| {
                item.as_ref()
                    .map(|(name, key)| (name.as_str(), key.as_deref()))
                    .map_err(|e| e.code)
            })
            .collect();
        assert_eq!(
            seen,
            [
                Ok(("#a", Some("k"))),
                Err(Code::BadChannelName),
                Ok(("#b", None))
            ]
        );
        let Command::Join(items) = parse("JOIN #a,#b k1,k2").unwrap() else {
            panic!()
        };
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
