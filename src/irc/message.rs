//! A message as a client sends it, and its line form (RFC 1459 §2.3.1, with IRCv3 message tags).

use crate::{
    error::{Error, Result},
    model::{LABEL_LIMIT, LINES_LIMIT, SessionId},
};

/// IRC's limit of parameters, including the last one.
pub const MAX_PARAMS: usize = 15;

/// The characters that end a line or a message in IRC.
const LINE_ENDS: &[char] = &['\r', '\n', '\0'];

/// The verbs that send a text.
const TEXT_VERBS: [&str; 2] = ["PRIVMSG", "NOTICE"];
/// The position of the text among their parameters.
const TEXT_PARAM: usize = 1;

/// A client's message, before it is parsed as a command.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The client's label, by which a repeated message is recognised.
    pub label: Option<String>,
    /// The verb, in the case in which the client wrote it.
    pub command: String,
    /// The parameters, at most [`MAX_PARAMS`].
    pub params: Vec<String>,
    /// The session that is meant, whichever session has its nick now.
    pub to: Option<SessionId>,
}

impl Message {
    /// Checks what the JSON form and the line form share. CR and NUL are refused everywhere, and LF
    /// everywhere except in the text of a PRIVMSG or NOTICE. Fails with `malformed_request`, or
    /// with `input_too_long` for a label that is too long.
    pub fn new(label: Option<String>, command: String, params: Vec<String>) -> Result<Self> {
        let has_text = TEXT_VERBS
            .iter()
            .any(|verb| command.eq_ignore_ascii_case(verb));
        for (n, param) in params.iter().enumerate() {
            if has_text && n == TEXT_PARAM {
                refuse(param, &['\r', '\0'])?
            } else {
                refuse(param, LINE_ENDS)?
            }
        }
        label
            .iter()
            .chain([&command])
            .try_for_each(|text| refuse(text, LINE_ENDS))?;
        if command.is_empty() {
            return Err(Error::malformed("the message has no command"));
        }
        if params.len() > MAX_PARAMS {
            return Err(Error::malformed(format!(
                "a message can have at most {MAX_PARAMS} parameters"
            )));
        }
        if let Some(label) = &label {
            if label.is_empty() {
                return Err(Error::malformed("a label must not be empty"));
            }
            if label.chars().count() > LABEL_LIMIT {
                return Err(Error::too_long("the label", LABEL_LIMIT, "characters"));
            }
        }
        Ok(Self {
            label,
            command,
            params,
            to: None,
        })
    }

    /// Addresses the message to a session.
    pub fn to(self, to: Option<SessionId>) -> Self {
        Self { to, ..self }
    }

    /// The number of lines. Rate limits count each line as a command. The parser refuses a message
    /// with more than [`LINES_LIMIT`] lines, so the count stops there.
    pub fn lines(&self) -> usize {
        let breaks = self
            .params
            .iter()
            .map(|param| param.matches('\n').count())
            .sum::<usize>();
        (1 + breaks).min(LINES_LIMIT)
    }

    /// Parses one line, with or without its CR LF: `@label=x JOIN #rust`. The source is ignored,
    /// because a client cannot choose its identity. Tags other than `label` are ignored too. Fails
    /// as [`Message::new`] does.
    pub fn parse_line(line: &str) -> Result<Self> {
        let line = line
            .strip_suffix('\n')
            .map_or(line, |l| l.strip_suffix('\r').unwrap_or(l));
        refuse(line, LINE_ENDS)?;
        let (tags, line) = prefixed(line, '@');
        let (_source, line) = prefixed(line, ':');
        let label = tags.and_then(label).map(unescape);
        let mut rest = line.trim_start_matches(' ');
        let mut words = Vec::new();
        while !rest.is_empty() {
            if let Some(trailing) = rest.strip_prefix(':').filter(|_| !words.is_empty()) {
                words.push(trailing.to_owned());
                break;
            }
            let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = tail.trim_start_matches(' ');
        }
        let mut words = words.into_iter();
        let command = words.next().unwrap_or_default();
        Self::new(label, command, words.collect())
    }
}

fn refuse(text: &str, characters: &[char]) -> Result<()> {
    if text.contains(characters) {
        let rules = "a message must not contain CR or NUL. LF is allowed only in the text of a \
            PRIVMSG or NOTICE that is sent as JSON";
        return Err(Error::malformed(rules));
    }
    Ok(())
}

/// Splits `@first rest` or `:first rest` into its two parts, if the line begins with the mark.
fn prefixed(line: &str, mark: char) -> (Option<&str>, &str) {
    match line.strip_prefix(mark) {
        Some(marked) => match marked.split_once(' ') {
            Some((first, rest)) => (Some(first), rest.trim_start_matches(' ')),
            None => (Some(marked), ""),
        },
        None => (None, line),
    }
}

/// The value of the label tag. The last label counts, and a tag without a value has the empty value
/// (IRCv3 message tags, "Format").
fn label(tags: &str) -> Option<&str> {
    let mut tags = tags
        .split(';')
        .map(|tag| tag.split_once('=').unwrap_or((tag, "")));
    tags.rfind(|(key, _)| *key == "label")
        .map(|(_, value)| value)
}

/// Unescapes the value of a tag (IRCv3 message tags, "Escaping values").
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => text.push(';'),
            Some('s') => text.push(' '),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(other) => text.push(other),
            None => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn line(text: &str) -> (Option<String>, String, Vec<String>) {
        let Message {
            label,
            command,
            params,
            ..
        } = Message::parse_line(text).unwrap();
        (label, command, params)
    }

    #[test]
    fn a_line_has_a_command_params_and_an_optional_trailing_one() {
        let parsed = |command: &str, params: &[&str]| {
            (
                None,
                command.to_owned(),
                params.iter().map(|p| (*p).to_owned()).collect(),
            )
        };
        assert_eq!(line("JOIN #rust"), parsed("JOIN", &["#rust"]));
        assert_eq!(
            line("  JOIN   #rust  key \r\n"),
            parsed("JOIN", &["#rust", "key"])
        );
        assert_eq!(
            line("PRIVMSG #rust :hi there :)"),
            parsed("PRIVMSG", &["#rust", "hi there :)"])
        );
        assert_eq!(line("TOPIC #rust :"), parsed("TOPIC", &["#rust", ""]));
        assert_eq!(
            line(":mallory PRIVMSG bob x"),
            parsed("PRIVMSG", &["bob", "x"])
        );
        assert_eq!(
            line("PASS :correct horse battery"),
            parsed("PASS", &["correct horse battery"])
        );
    }

    #[test]
    fn the_label_is_a_tag() {
        assert_eq!(line("@label=c1 PING x").0.as_deref(), Some("c1"));
        assert_eq!(
            line("@time=1;label=a\\sb\\:c PING x").0.as_deref(),
            Some("a b;c")
        );
        assert_eq!(line("@other=1 PING x").0, None);
        assert_eq!(
            line("@label=a;label=b PING x").0.as_deref(),
            Some("b"),
            "the last one counts"
        );
    }

    #[test]
    fn only_the_text_of_a_message_has_several_lines() {
        let new = |command: &str, params: &[&str]| {
            let message = Message::new(
                None,
                command.into(),
                params.iter().map(|p| (*p).to_owned()).collect(),
            );
            message
                .map(|message| message.lines())
                .map_err(|error| error.code)
        };
        assert_eq!(new("privmsg", &["#a", "one\ntwo\n"]), Ok(3));
        assert_eq!(new("NOTICE", &["bob", "\n"]), Ok(2));
        assert_eq!(new("PING", &["x"]), Ok(1));
        for (command, params) in [
            ("PRIVMSG", ["#a\n", "x"]),
            ("PRIVMSG", ["#a", "one\rtwo"]),
            ("NOTICE", ["#a", "one\0"]),
            ("TOPIC", ["#a", "one\ntwo"]),
            ("PART", ["#a", "one\ntwo"]),
            ("PRIVMSG\n", ["#a", "x"]),
        ] {
            assert_eq!(
                new(command, &params),
                Err(Code::MalformedRequest),
                "{command} {params:?}"
            );
        }
        assert_eq!(
            new("PRIVMSG", &["#a", "x", "one\ntwo"]),
            Err(Code::MalformedRequest)
        );
    }

    #[test]
    fn an_invalid_message_is_refused() {
        for bad in [
            "",
            "   ",
            ":source",
            "@label=",
            "PING a\0b",
            "PING a\nPING b",
            "@label=a\\nb PING x",
            "@time=1\n PING x",
            ":me\r PING x",
            "@label= PING x",
            "@label PING x",
        ] {
            assert_eq!(
                Message::parse_line(bad).err().map(|e| e.code),
                Some(Code::MalformedRequest),
                "{bad:?}"
            );
        }
        let many = format!("X {}", "p ".repeat(16));
        assert_eq!(
            Message::parse_line(&many).err().map(|e| e.code),
            Some(Code::MalformedRequest)
        );
        let long = format!("@label={} PING x", "l".repeat(65));
        assert_eq!(
            Message::parse_line(&long).err().map(|e| e.code),
            Some(Code::InputTooLong)
        );
    }
}
