//! Properties of every message, beyond hand-picked examples. `PROPTEST_CASES` sets the number of
//! cases. Failures that these tests found are named tests beside the code.

mod command;
mod line;
mod mode;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::command::verbs;

/// Text that often contains characters with a meaning to a parser.
fn text() -> impl Strategy<Value = String> {
    let marks = [
        ":", "@", ";", "=", "\\", ",", "#", "!", "*", "?", "+", "-", "0", "label", "label=",
        "PING", " :",
    ];
    let piece = prop_oneof![
        6 => select(marks.to_vec()).prop_map(str::to_owned),
        3 => " {1,2}",
        4 => "[a-z]",
        1 => any::<char>().prop_map(String::from),
    ];
    spoilt(vec(piece, 0..20).prop_map(|pieces| pieces.concat()))
}

/// Sometimes inserts characters that no message may contain.
fn spoilt(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let breaks = select(vec!["", "", "", "", "", "", "\r", "\n", "\r\n", "\0"]);
    (text, any::<Index>(), breaks).prop_map(|(mut text, place, line_break)| {
        let place = place.index(text.chars().count() + 1);
        let place = text
            .char_indices()
            .nth(place)
            .map_or(text.len(), |(place, _)| place);
        text.insert_str(place, line_break);
        text
    })
}

/// Text that can be one word of a line.
fn word() -> impl Strategy<Value = String> {
    text().prop_map(|text| {
        let text = text.replace(' ', "");
        let text = text.trim_start_matches([':', '@']);
        if text.is_empty() {
            "x".to_owned()
        } else {
            text.to_owned()
        }
    })
}

/// A parameter: lists, numbers, modes, masks, and texts close to their limits.
fn param() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        1 => select(vec!["#a", "#A", "alice", "ALICE", "[d]", "0", "#", "", "é"]).prop_map(str::to_owned),
        4 => "#[a-z]{2}",
    ];
    let limits = [32, 33, 63, 64, 65, 1023, 1024, 1025, 4095, 4096, 4097].to_vec();
    prop_oneof![
        2 => text(),
        3 => prop_oneof![vec(name.clone(), 0..5), vec(name, 16..30)].prop_map(|names| names.join(",")),
        1 => any::<i64>().prop_map(|id| id.to_string()),
        1 => "[-+imntklovbz]{0,12}",
        1 => (select(limits), select(vec!["x", "é"])).prop_map(|(bytes, c)| c.repeat(bytes / c.len())),
    ]
}

/// A verb, in any case.
fn verb() -> impl Strategy<Value = String> {
    let verbs: Vec<_> = verbs().map(|verb| verb.name).collect();
    (select(verbs), any::<u16>()).prop_map(|(verb, cases)| {
        let case = |(n, c): (usize, char)| {
            if cases >> n & 1 == 1 {
                c.to_ascii_lowercase()
            } else {
                c
            }
        };
        verb.chars().enumerate().map(case).collect()
    })
}
