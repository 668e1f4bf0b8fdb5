//! Modes, and the masks of bans.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{param, text};
use crate::irc::{
    glob,
    mask::Mask,
    verbs::mode::{ModeChange, parse_changes},
};

/// A change of a mode in its written parts: sign, letter, argument.
fn change() -> impl Strategy<Value = (bool, char, Option<String>)> {
    let flag = (any::<bool>(), select(vec!['i', 'm', 'n', 's', 't', 'H']))
        .prop_map(|(on, flag)| (on, flag, None));
    let about = (any::<bool>(), select(vec!['o', 'v', 'b']), "[a-z]{1,9}")
        .prop_map(|(on, c, who)| (on, c, Some(who)));
    let key = option::of("[!-+--~é]{1,9}").prop_map(|key| (key.is_some(), 'k', key));
    let limit = option::of(1..u32::MAX)
        .prop_map(|limit| (limit.is_some(), 'l', limit.map(|n| n.to_string())));
    prop_oneof![flag, about, key, limit]
}

fn written(change: &ModeChange) -> (bool, char, Option<String>) {
    match change {
        ModeChange::Flag(flag, on) => (*on, flag.letter(), None),
        ModeChange::Key(key) => (key.is_some(), 'k', key.clone()),
        ModeChange::Limit(limit) => (limit.is_some(), 'l', limit.map(|n| n.to_string())),
        ModeChange::Op(nick, on) => (*on, 'o', Some(nick.to_string())),
        ModeChange::Voice(nick, on) => (*on, 'v', Some(nick.to_string())),
        ModeChange::Ban(mask, on) => (
            *on,
            'b',
            mask.as_str().strip_suffix("!*@*").map(str::to_owned),
        ),
        ModeChange::ListBans => (true, 'b', None),
    }
}

/// A glob, and a text that matches it, almost matches it, or does not match it.
fn glob_and_text() -> impl Strategy<Value = (String, String)> {
    let part = (
        select(vec!['a', 'b', 'B', '*', '*', '?', 'é']),
        "[abA]{0,3}",
    );
    (vec(part, 0..10), "[abA]{0,2}").prop_map(|(parts, more)| {
        let text = parts.iter().fold(String::new(), |text, (c, any)| match c {
            '*' => text + any,
            '?' => text + any.get(..1).unwrap_or("b"),
            c => text + &c.to_ascii_lowercase().to_string(),
        });
        (
            parts.iter().map(|(c, _)| c).collect(),
            text.replace('é', "a") + &more,
        )
    })
}

/// Whether a glob matches, computed with the table of all prefixes of both.
fn fits(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut fit: Vec<bool> = (0..=text.len()).map(|n| n == 0).collect();
    for p in pattern.chars() {
        let one =
            |n: usize| n > 0 && fit[n - 1] && (p == '?' || p.eq_ignore_ascii_case(&text[n - 1]));
        fit = (0..=text.len())
            .map(|n| {
                if p == '*' {
                    fit[..=n].contains(&true)
                } else {
                    one(n)
                }
            })
            .collect();
    }
    fit[text.len()]
}

proptest! {
    #[test]
    fn modes_are_read_as_they_are_written(changes in vec(change(), 0..12), named_key in any::<bool>()) {
        let sign = |on: bool| if on { '+' } else { '-' };
        let letters: String = changes.iter().flat_map(|(on, letter, _)| [sign(*on), *letter]).collect();
        // When a key is removed, it may be repeated. This test repeats all of them or none.
        let argument = |(on, letter, argument): &(bool, char, Option<String>)| match (letter, on) {
            ('k', false) => named_key.then(|| "old".to_owned()),
            _ => argument.clone(),
        };
        let read = parse_changes(&letters, &changes.iter().filter_map(argument).collect::<Vec<_>>()).unwrap();
        prop_assert_eq!(read.iter().map(written).collect::<Vec<_>>(), changes);
    }

    #[test]
    fn no_modes_panic(modes in prop_oneof!["[-+imnstHklovb]{0,16}", text()], args in vec(param(), 0..6)) {
        if let Ok(changes) = parse_changes(&modes, &args) {
            let told = changes.iter().filter(|change| written(change).2.is_some()).count();
            prop_assert!(told <= args.len() && changes.len() <= modes.len());
        }
    }

    #[test]
    fn a_mask_is_1_to_64_bytes_without_space_or_comma(text in prop_oneof![text(), "[a-z*?!@]{62,66}"]) {
        let good = (1..=64).contains(&text.len()) && !text.contains([' ', ',']);
        prop_assert_eq!(Mask::parse(&text).is_ok(), good);
    }

    #[test]
    fn a_mask_is_completed_with_its_missing_parts(nick in "[a-z*?]{0,9}", user in "[a-z*?]{0,9}", host in "[a-z*?@!]{0,9}") {
        let mask = |text: &str| Mask::parse(text).map(|mask| mask.as_str().to_owned()).ok();
        let any = |part: &str| if part.is_empty() { "*".to_owned() } else { part.to_owned() };
        let full = format!("{}!{}@{}", any(&nick), any(&user), any(&host));
        prop_assert_eq!(mask(&format!("{nick}!{user}@{host}")), Some(full));
        prop_assert_eq!(mask(&format!("{nick}!{user}")), Some(format!("{}!{}@*", any(&nick), any(&user))));
        prop_assert_eq!(mask(&format!("{user}@{nick}")), Some(format!("*!{}@{}", any(&user), any(&nick))));
        prop_assert_eq!(mask(&nick), (!nick.is_empty()).then(|| format!("{nick}!*@*")));
    }

    #[test]
    fn a_nick_as_a_mask_matches_the_session_with_that_nick(nick in "[a-zA-Z]{1,9}") {
        let mask = Mask::parse(&nick).unwrap();
        let fits = |nick: &str| mask.matches(&glob::Candidate::new(format!("{nick}!s7@rejoin.server")));
        prop_assert!(fits(&nick.to_ascii_uppercase()) && !fits(&(nick + "x")));
    }

    #[test]
    fn a_glob_matches_as_the_table_of_all_prefixes_says((pattern, text) in glob_and_text()) {
        prop_assert_eq!(glob::fits(&pattern, &text), fits(&pattern, &text));
    }
}
