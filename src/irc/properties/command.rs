//! Commands: the limits of their parameters.

use std::collections::HashSet;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{param, text, verb};
use crate::{
    error::Code,
    irc::{
        Change, Command, Message, Query, Request,
        params::{MAX_TARGETS, TargetResults, event_id},
        verbs::{channel, client, lookup, message, nick_and_away},
    },
    model::{EventId, REASON_LIMIT, TEXT_LIMIT, Target},
};

fn few<T>(targets: &TargetResults<T>) -> bool {
    targets.len() <= MAX_TARGETS
}

/// Whether everything in a command is within the contract's limits.
fn within_limits(command: &Command) -> bool {
    let short = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= REASON_LIMIT);
    let distinct = |targets: &TargetResults<Target>| {
        let mut seen = HashSet::new();
        targets
            .iter()
            .flatten()
            .all(|target| seen.insert(target.folded()))
    };
    match command {
        Command::Query(Query::Lookup(query)) => match query {
            lookup::Query::Names(channels) | lookup::Query::List(channels) => few(channels),
            lookup::Query::Who(mask) => mask.len() <= 64,
            _ => true,
        },
        Command::Query(Query::Client(client::Query::Ping(token))) => token.len() <= REASON_LIMIT,
        Command::Query(Query::Client(client::Query::Ack(EventId(id)))) => *id >= 0,
        Command::Change(Change::Message(change)) => match change {
            message::Change::Privmsg { targets, text, .. } => {
                few(targets) && distinct(targets) && (1..=TEXT_LIMIT).contains(&text.len())
            }
            message::Change::Notice { targets, text, .. } => {
                few(targets) && distinct(targets) && text.len() <= TEXT_LIMIT
            }
            message::Change::MarkRead { id, .. } => id.0 >= 0,
            _ => true,
        },
        Command::Change(Change::Channel(change)) => match change {
            channel::Change::Join(items) => few(items),
            channel::Change::Part { channels, reason } => few(channels) && short(reason),
            channel::Change::Kick { nicks, reason, .. } => few(nicks) && short(reason),
            channel::Change::Topic { text, .. } => text.len() <= REASON_LIMIT,
            _ => true,
        },
        Command::Change(Change::NickAndAway(nick_and_away::Change::Away(text))) => short(text),
        Command::Change(Change::Client(client::Change::Quit(text))) => short(text),
        _ => true,
    }
}

proptest! {
    #[test]
    fn a_command_is_within_the_limits_or_refused(verb in verb(), params in vec(param(), 0..6)) {
        let read = |verb: String| Message::new(None, verb, params.clone()).and_then(Request::parse);
        match read(verb.clone()) {
            Ok(Request { command, .. }) => prop_assert!(within_limits(&command), "{:?}", command),
            Err(error) => prop_assert!([400, 404, 413].contains(&error.code.status()), "{}", error),
        }
        let refusal = |verb: String| read(verb).err().map(|error| error.code);
        prop_assert_eq!(refusal(verb.clone()), refusal(verb.to_ascii_lowercase()));
    }

    #[test]
    fn a_notice_is_never_refused(params in vec(param(), 0..15)) {
        // The text, which is the second parameter, may have several lines.
        let breaks = |n: usize, param: &String| n != 1 && param.contains('\n');
        let clean = !params.iter().enumerate().any(|(n, param)| param.contains(['\r', '\0']) || breaks(n, param));
        let notice = Message::new(None, "NOTICE".into(), params).and_then(Request::parse);
        prop_assert_eq!(notice.is_ok(), clean);
    }

    #[test]
    fn a_command_has_at_most_20_targets_and_repeated_ones_count_once(
        verb in select(vec!["JOIN", "PART", "PRIVMSG", "NAMES", "LIST"]),
        names in (17..24_usize).prop_flat_map(|count| vec((0..count, any::<bool>()), 20..90)),
    ) {
        let name = |(n, upper): &(usize, bool)| format!("#{}{n}", if *upper { "C" } else { "c" });
        let named = names.iter().map(name).collect::<Vec<_>>();
        let read = Message::new(None, verb.into(), vec![named.join(","), "x".into()]).and_then(Request::parse);
        let distinct = names.iter().map(|(n, _)| n).collect::<HashSet<_>>().len();
        prop_assert_eq!(read.err().map(|error| error.code), (distinct > 20).then_some(Code::TooManyTargets));
    }

    #[test]
    fn a_text_is_accepted_up_to_its_limit(
        (start, limit) in select(vec![
            ("PRIVMSG #a", 4096), ("NOTICE #a", 4096), ("TOPIC #a", 1024), ("PART #a", 1024), ("KICK #a bob", 1024),
            ("AWAY", 1024), ("QUIT", 1024), ("PING", 1024), ("WHO", 64),
        ]),
        (more, c) in (0..5_usize, select(vec!["x", "é", "語"])),
    ) {
        let text = c.repeat((limit + more - 2) / c.len());
        let read = Message::parse_line(&format!("{start} :{text}")).and_then(Request::parse);
        match read.map(|request| request.command) {
            Ok(Command::Change(Change::Message(message::Change::Notice { text: taken, .. }))) => prop_assert_eq!(taken == text, text.len() <= limit),
            read => prop_assert_eq!(read.is_ok(), text.len() <= limit),
        }
    }

    #[test]
    fn an_id_is_a_whole_number_from_0(
        text in prop_oneof!["[-+]?[0-9]{0,21}", "[-+]?[0-2]", any::<i64>().prop_map(|n| n.to_string()), text()],
    ) {
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        let value = number.then(|| digits.bytes().fold(0_i128, |n, d| (n * 10 + i128::from(d - b'0')).min(1 << 64)));
        let expected = match value.map(|value| if text.starts_with('-') { -value } else { value }) {
            Some(id @ 0..=0x7fff_ffff_ffff_ffff) => Ok(EventId(id as i64)),
            Some(-0x8000_0000_0000_0000..0) => Err(Code::InvalidCursor),
            _ => Err(Code::MalformedRequest),
        };
        prop_assert_eq!(event_id(&text).map_err(|error| error.code), expected);
    }
}
