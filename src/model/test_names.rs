//! Names for property tests.

use proptest::{prelude::*, sample::select};

/// Names, and texts that are almost names.
pub fn name() -> impl Strategy<Value = String> {
    let marks = select(vec![
        "#", "[", "]", "{", "}", "~", "^", "-", "0", "9", " ", ",", "\u{7}", "\u{85}", "é", "語",
        "I", "ı",
    ]);
    let piece = prop_oneof![4 => "[a-zA-Z]", 2 => marks.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    let mixed = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    let long = (
        select(vec!["a", "#a", "#é"]),
        prop_oneof![28..34_usize, 58..66_usize],
    )
        .prop_map(|(start, more)| format!("{start}{}", "x".repeat(more)));
    let nick = "[A-Z\\[-`a-z{-}][-A-Z\\[-`a-z{-}0-9]{0,33}";
    prop_oneof![3 => mixed.clone(), 3 => mixed.prop_map(|name| format!("#{name}")), 2 => long, 1 => nick]
}
