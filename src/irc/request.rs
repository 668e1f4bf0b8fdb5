//! A request: a message that was parsed as a command.

use super::{
    command::{Command, find_verb},
    message::Message,
    verb::Verb,
};
use crate::error::{Code, Error, Result};

/// A command as a client requests it. Code behind the edge never sees the text of a message.
#[derive(Clone)]
pub struct Request {
    /// The client's label. With it, the client may safely send the request again.
    pub label: Option<String>,
    /// The verb's row in the table.
    pub verb: &'static Verb<Command>,
    /// The typed command.
    pub command: Command,
    /// The request in the form by which a repeated label is compared: the addressed session if
    /// there is one, the verb in upper case and the parameters, separated by NUL. For PASS, the
    /// parameters are left out.
    pub canonical: String,
}

impl Request {
    /// Parses a message as a command. Fails with `unknown_command`, with `need_more_params`, or
    /// with the error of the verb's own parser.
    pub fn parse(message: Message) -> Result<Self> {
        let Some(verb) = find_verb(&message.command) else {
            let name = message.command.to_ascii_uppercase();
            let shown: String = name
                .chars()
                .take(32)
                .filter(|c| !c.is_control() && *c != ' ')
                .collect();
            return Err(Error::new(Code::UnknownCommand, "unknown command").about(shown));
        };
        if message.params.len() < verb.min_params {
            let detail = format!("a parameter is missing; the syntax is: {}", verb.syntax);
            return Err(Error::new(Code::NeedMoreParams, detail).about(verb.name));
        }
        let command = (verb.parse)(&message.params)?.addressed(message.to)?;
        let mut canonical = verb.name.to_owned();
        if let Some(to) = message.to {
            canonical.insert_str(0, &format!("{to}\0"));
        }
        if !matches!(command, Command::Pass(_)) {
            for param in &message.params {
                // No parameter contains NUL, so it separates them.
                canonical.push('\0');
                canonical.push_str(param);
            }
        }
        Ok(Self {
            label: message.label,
            verb,
            command,
            canonical,
        })
    }

    /// Whether the command is a single transaction. The next command may then be queued behind it
    /// without waiting for its result.
    pub fn is_one_write(&self) -> bool {
        matches!(self.command, Command::Change(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::{
        command::Change,
        verbs::{channel, message},
    };

    fn parse(line: &str) -> Result<Command> {
        Request::parse(Message::parse_line(line)?).map(|request| request.command)
    }

    fn refusal(line: &str) -> Code {
        parse(line).expect_err(line).code
    }

    #[test]
    fn a_verb_that_only_shows_something_is_a_query() {
        for (line, asks) in [
            ("TOPIC #c", true),
            ("TOPIC #c :", false),
            ("MODE #c", true),
            ("MODE #c b", true),
            ("MODE #c +n", false),
        ] {
            let is_query = matches!(parse(line).unwrap(), Command::Query(_));
            assert_eq!(is_query, asks, "{line}");
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
    fn targets_are_checked_one_by_one_and_repeated_ones_count_once() {
        let Command::Change(Change::Channel(channel::Change::Join(items))) =
            parse("join #a,bad,#A,#b k").unwrap()
        else {
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
        let Command::Change(Change::Channel(channel::Change::Join(items))) =
            parse("JOIN #a,#b k1,k2").unwrap()
        else {
            panic!()
        };
        assert_eq!(items[1].as_ref().unwrap().1.as_deref(), Some("k2"));
    }

    #[test]
    fn a_notice_never_fails() {
        let long = format!("NOTICE bob :{}", "x".repeat(4097));
        for line in ["NOTICE", "NOTICE bob", "NOTICE 0 x", "NOTICE , x", &long] {
            assert!(
                matches!(
                    parse(line),
                    Ok(Command::Change(Change::Message(
                        message::Change::Notice { .. }
                    )))
                ),
                "{line}"
            );
        }
    }

    #[test]
    fn a_command_prints_itself_without_passwords() {
        let shown = format!("{:?}", parse("PASS :correct horse battery").unwrap());
        assert_eq!(shown, "Pass(Pass { new: Password(…), current: None })");
    }
}
