//! Messages as lines and as JSON.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{param, spoilt, text, verb, word};
use crate::{
    error::{Code, Result},
    irc::{Command, Message, Request, verbs::password::Pass},
    model::LABEL_LIMIT,
};

/// Any line: with tags, a source, a command, or something that resembles one of them.
fn anything() -> impl Strategy<Value = String> {
    let tag = prop_oneof![
        2 => select(vec!["label", "label=", "other", "Label=a", "", "="]).prop_map(str::to_owned),
        2 => "label=[a-z=@:\\\\]{0,4}",
        1 => "[a-z=@:\\\\]{0,4}",
    ];
    let tags = vec(tag, 1..4).prop_map(|tags| format!("@{} ", tags.join(";")));
    let source = select(vec!["", "", ":me ", ":me :", " "]);
    let line = (option::of(tags), source, text());
    spoilt(line.prop_map(|(tags, source, text)| tags.unwrap_or_default() + source + &text))
}

/// Writes a message as a line. The line has a source, so that nothing else is taken for one.
fn line(label: Option<&str>, command: &str, params: &[String]) -> String {
    let mut line = String::new();
    if let Some(label) = label {
        let escaped = label
            .replace('\\', "\\\\")
            .replace(';', "\\:")
            .replace(' ', "\\s");
        line = format!(
            "@other;label={} ",
            escaped.replace('\r', "\\r").replace('\n', "\\n")
        );
    }
    line += &format!(":me {command}");
    if let Some((last, words)) = params.split_last() {
        words.iter().for_each(|word| line += &format!(" {word}"));
        line += &format!(" :{last}");
    }
    line + "\r\n"
}

/// Splits a line without its end in another way than the parser (RFC 1459 §2.3.1, IRCv3 message
/// tags). Returns the label, and the command with its parameters.
fn read_plainly(line: &str) -> (Option<String>, Vec<String>) {
    let (tags, rest) = if line.starts_with('@') {
        line.split_once(' ').unwrap_or((line, ""))
    } else {
        ("", line)
    };
    let rest = if tags.is_empty() {
        rest
    } else {
        rest.trim_start_matches(' ')
    };
    let rest = if rest.starts_with(':') {
        rest.split_once(' ').map_or("", |(_source, rest)| rest)
    } else {
        rest
    };
    let rest = rest.trim_start_matches(' ');
    let (words, last) = rest
        .split_once(" :")
        .map_or((rest, None), |(words, last)| (words, Some(last)));
    let words = words
        .split(' ')
        .filter(|word| !word.is_empty())
        .chain(last)
        .map(str::to_owned)
        .collect();
    let mut labels = tags
        .get(1..)
        .unwrap_or_default()
        .split(';')
        .filter(|tag| *tag == "label" || tag.starts_with("label="));
    (
        labels
            .next_back()
            .map(|tag| clear(tag.get("label=".len()..).unwrap_or_default())),
        words,
    )
}

/// Unescapes a tag's value recursively: the first escape, then the rest ("Escaping values").
fn clear(value: &str) -> String {
    const ESCAPES: [(char, char); 4] = [(':', ';'), ('s', ' '), ('r', '\r'), ('n', '\n')];
    let Some((before, after)) = value.split_once('\\') else {
        return value.to_owned();
    };
    let mut after = after.chars();
    let c = after.next().map(|c| {
        ESCAPES
            .into_iter()
            .find(|(escape, _)| *escape == c)
            .map_or(c, |(_, meant)| meant)
    });
    before
        .chars()
        .chain(c)
        .chain(clear(after.as_str()).chars())
        .collect()
}

/// The code with which the contract refuses a message. `words` has the command and the parameters.
fn refusal(label: Option<&str>, words: &[String]) -> Option<Code> {
    let mut texts = words.iter().map(String::as_str).chain(label);
    match label.map(|label| label.chars().count()) {
        _ if texts.any(|text| text.contains(['\r', '\n', '\0'])) => Some(Code::MalformedRequest),
        _ if words.first().is_none_or(String::is_empty) || words.len() > 1 + 15 => {
            Some(Code::MalformedRequest)
        }
        Some(0) => Some(Code::MalformedRequest),
        Some(characters) if characters > LABEL_LIMIT => Some(Code::InputTooLong),
        _ => None,
    }
}

/// The message, or the code of its refusal.
fn outcome(message: Result<Message>) -> Result<(Option<String>, Vec<String>), Code> {
    let whole = |Message {
                     label,
                     command,
                     params,
                     ..
                 }| (label, [vec![command], params].concat());
    message.map(whole).map_err(|error| error.code)
}

/// The `Debug` output of a command with the passwords that it hides, or the code of its refusal.
fn shown(message: Result<Message>) -> Result<String, Code> {
    let command = message
        .and_then(Request::parse)
        .map(|request| request.command);
    command
        .map_err(|error| error.code)
        .map(|command| match &command {
            Command::Pass(Pass { new, current }) => format!(
                "{} {:?}",
                new.reveal(),
                current.as_ref().map(|c| c.reveal())
            ),
            other => format!("{other:?}"),
        })
}

proptest! {
    #[test]
    fn a_line_is_read_as_the_rfc_says(line in anything()) {
        let inner = line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(&line);
        let (label, words) = read_plainly(inner);
        let expected = match refusal(label.as_deref(), &words) {
            _ if inner.contains(['\r', '\n', '\0']) => Err(Code::MalformedRequest),
            Some(code) => Err(code),
            None => Ok((label, words)),
        };
        prop_assert_eq!(outcome(Message::parse_line(&line)), expected);
    }

    #[test]
    fn an_accepted_message_can_be_written_and_read_again(text in anything()) {
        if let Ok((label, words)) = outcome(Message::parse_line(&text)) {
            let again = line(label.as_deref(), &words[0], &words[1..]);
            prop_assert_eq!(outcome(Message::parse_line(&again)), Ok((label, words)), "{:?}", again);
        }
    }

    #[test]
    fn json_and_line_are_one_message(
        label in option::of(prop_oneof![4 => text(), 1 => "[a-zé]{60,70}"]),
        command in prop_oneof![3 => verb(), 1 => word()],
        words in vec(prop_oneof![
            6 => "[a-z]{1,3}", 3 => word(), 1 => param().prop_map(|param| param.replace(' ', "_")),
        ], 0..18),
        last in prop_oneof![text(), param()],
    ) {
        let words = words.into_iter().map(|word| match word.strip_prefix(':') {
            Some(_) => format!("x{word}"),
            None if word.is_empty() => "x".into(),
            None => word,
        });
        let params: Vec<_> = words.chain([last]).collect();
        // Only JSON can carry a text of several lines.
        let says = ["PRIVMSG", "NOTICE"].iter().any(|verb| command.eq_ignore_ascii_case(verb));
        prop_assume!(!(says && params.get(1).is_some_and(|text| text.contains('\n'))));
        let line = line(label.as_deref(), &command, &params);
        let by_json = || Message::new(label.clone(), command.clone(), params.clone());
        prop_assert_eq!(outcome(by_json()), outcome(Message::parse_line(&line)), "{:?}", line);
        prop_assert_eq!(shown(by_json()), shown(Message::parse_line(&line)), "{:?}", line);
        let words = [vec![command.clone()], params.clone()].concat();
        prop_assert_eq!(outcome(by_json()).err(), refusal(label.as_deref(), &words));
    }
}
