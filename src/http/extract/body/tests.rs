//! Random JSON bodies are either read as the contract says or refused.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

use super::{MessageBody, json};
use crate::{
    error::{Code, Result},
    http::api::{login::LoginBody, session::NewSession},
};

/// The type of a field. Only `Text` fields are required.
#[derive(Clone, Copy, Debug)]
enum Field {
    Text,
    PerhapsText,
    PerhapsNumber,
    Texts,
}

type Shape = &'static [(&'static str, Field)];

const MESSAGE: Shape = &[
    ("label", Field::PerhapsText),
    ("command", Field::Text),
    ("params", Field::Texts),
];
const SESSION: Shape = &[("nick", Field::Text), ("client_name", Field::PerhapsText)];
const LOGIN: Shape = &[
    ("nick", Field::Text),
    ("password", Field::Text),
    ("client_name", Field::PerhapsText),
    ("replace", Field::PerhapsNumber),
];

impl Field {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::PerhapsText => value.is_string() || value.is_null(),
            Self::PerhapsNumber => whole(value) || value.is_null(),
            Self::Texts => value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }
}

/// Whether a value is a whole number of 64 bits in any notation.
fn whole(value: &Value) -> bool {
    let written = value.as_f64().unwrap_or(0.5).to_string();
    value.is_i64() || (!value.is_u64() && written.parse().is_ok_and(|whole: i64| whole > i64::MIN))
}

/// Whether a body has a shape. `written` is the number of fields written in it: a body with fewer
/// after parsing has duplicates.
fn fits(shape: Shape, body: &[u8], written: usize) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
        return false;
    };
    let known = |name: &str, value: &Value| {
        shape
            .iter()
            .any(|(n, field)| *n == name && field.fits(value))
    };
    let missing = shape
        .iter()
        .any(|(name, field)| matches!(field, Field::Text) && !fields.contains_key(*name));
    written == fields.len() && !missing && fields.iter().all(|(name, value)| known(name, value))
}

/// Valid and invalid values, among them numbers that are too big and escapes of half a surrogate
/// pair.
const VALUES: &str = r#"null true 0 -0 7 -1 1.0 1e2 1e999 9223372036854775807 9223372036854775808
    -9223372036854775809 -99999999999999999999999 01 1.5 NaN "" "x" "\ud83d\ude00" "\ud800" "\udc00\ud800" "\u0000" "é" " 'x'"#;

/// Any value. The text `hunter2` stands for a secret in the wrong field.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => select(VALUES.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_owned),
        4 => select(vec![r#""hunter2""#, "\"\n\"", ""]).prop_map(str::to_owned),
        1 => (1..300_usize).prop_map(|n| "[".repeat(n) + &"]".repeat(n)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            inner.prop_map(|value| format!("{{\"hunter2\":{value}}}")),
        ]
    })
}

/// A valid value of a field.
fn good(field: Field, n: u8) -> String {
    let text = [r#""x""#, r#""""#, r#""\u0041""#, r#"" \"é\n""#][usize::from(n) % 4];
    match field {
        Field::PerhapsText | Field::PerhapsNumber if n < 64 => "null".into(),
        Field::Text | Field::PerhapsText => text.to_owned(),
        Field::PerhapsNumber => n.to_string(),
        Field::Texts => format!("[{}]", vec![text; usize::from(n) % 3].join(" , ")),
    }
}

/// The fields of a body as names and JSON values: mostly those of its shape, sometimes others.
fn fields(shape: Shape) -> impl Strategy<Value = Vec<(String, String)>> {
    let names =
        shape
            .iter()
            .map(|(name, _)| *name)
            .chain(["source", "Nick", "", "a\\nb", "\\u006eick"]);
    let other = (select(names.collect::<Vec<_>>()), value())
        .prop_map(|(name, value)| (name.to_owned(), value));
    let others = prop_oneof![2 => Just(Vec::new()), 1 => vec(other, 1..3)];
    (vec(any::<u8>(), shape.len()), others).prop_flat_map(|(choices, others)| {
        let chosen = shape.iter().zip(choices).filter(|(_, n)| n % 4 != 3);
        let fields = chosen.map(|((name, field), n)| {
            let value = match n {
                240..=247 => r#""hunter2""#.into(),
                248..=255 => r#"["hunter2"]"#.into(),
                n => good(*field, n),
            };
            ((*name).to_owned(), value)
        });
        Just(fields.chain(others).collect::<Vec<_>>()).prop_shuffle()
    })
}

/// A body and the number of fields written in it. The body is an object, or sometimes a list of the
/// fields' values.
fn body(shape: Shape) -> impl Strategy<Value = (String, usize)> {
    let start = prop_oneof![9 => Just(""), 1 => select(vec![" \t\r\n", "\u{feff}", "\u{c}", "\u{a0}", "[", "{}"])];
    let end = prop_oneof![9 => Just(""), 1 => select(vec![" \t\r\n", ",", "]", "{}", "\0", "//"])];
    (start, fields(shape), end, 0..6).prop_map(|(start, fields, end, kind)| {
        let object = || {
            fields
                .iter()
                .map(|(name, value)| format!("\"{name}\" : {value}"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let list = || {
            fields
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join(",")
        };
        let body = if kind == 0 {
            format!("[{}]", list())
        } else {
            format!("{start}{{{}}}{end}", object())
        };
        (body, fields.len())
    })
}

/// Checks that a body was accepted exactly if it has the shape, and that a refusal repeats no value
/// of the body.
fn judged<T>(read: Result<T>, good: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(read.is_ok(), good);
    if let Err(error) = read {
        prop_assert_eq!(error.code, Code::MalformedRequest);
        prop_assert!(
            error.detail.len() <= 400 && !error.detail.contains(char::is_control),
            "{}",
            error
        );
        prop_assert!(!error.detail.contains("hunter2"), "{}", error);
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_body_is_accepted_exactly_if_it_has_the_shape(
        (message, one) in body(MESSAGE), (session, two) in body(SESSION), (login, three) in body(LOGIN),
    ) {
        judged(json::<MessageBody>(message.as_bytes()), fits(MESSAGE, message.as_bytes(), one))?;
        judged(json::<NewSession>(session.as_bytes()), fits(SESSION, session.as_bytes(), two))?;
        judged(json::<LoginBody>(login.as_bytes()), fits(LOGIN, login.as_bytes(), three))?;
    }

    #[test]
    fn a_garbled_body_is_read_correctly_or_refused(
        (message, _) in body(MESSAGE), changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = message.into_bytes();
        for (place, byte, how) in changes {
            let place = place.index(bytes.len());
            match how {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place + 1),
            }
        }
        let read = json::<MessageBody>(&bytes);
        let value = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
        if let Ok(MessageBody { label, command, params, .. }) = &read {
            prop_assert_eq!(value["label"].as_str(), label.as_deref());
            prop_assert_eq!(value["command"].as_str(), Some(command.as_str()));
            let sent = value.get("params").map_or(Value::Array(Vec::new()), Value::clone);
            prop_assert_eq!(sent, Value::from(params.clone()));
        }
        let fields = value.as_object().map_or(0, serde_json::Map::len);
        prop_assert!(read.is_err() || fits(MESSAGE, &bytes, fields));
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_or_an_exponent() {
    let replace = |number: &str| {
        json::<LoginBody>(format!(r#"{{"nick":"","password":"","replace":{number}}}"#).as_bytes())
    };
    for whole in [
        "7",
        "7.0",
        "70e-1",
        "-0.0",
        "9223372036854775807",
        "-9223372036854775808",
        "1e18",
        "null",
    ] {
        assert!(replace(whole).is_ok(), "{whole}");
    }
    for other in [
        "7.5",
        "9223372036854775808",
        "-9223372036854775809",
        "1e19",
        "1e999",
        r#""7""#,
        "true",
    ] {
        assert!(replace(other).is_err(), "{other}");
    }
}

/// Bodies that random tests found, and one of each kind of mistake.
#[test]
fn invalid_messages_are_refused() {
    let deep = format!("{{\"command\":\"PING\",\"params\":{}", "[".repeat(16_000));
    for body in [
        // serde would accept a list of the fields' values as the object.
        r#"["c1","PING",["x"]]"#,
        r#"[null,"PING"]"#,
        "",
        "null",
        "\"PING\"",
        r#"{"params":["x"]}"#,
        r#"{"command":"PING","source":"bob"}"#,
        r#"{"command":"PING","command":"PING"}"#,
        r#"{"command":"PING","\u0063ommand":"PING"}"#,
        r#"{"command":"PING","params":null}"#,
        r#"{"command":"PING","params":["x",7]}"#,
        r#"{"command":"PING","params":{"0":"x"}}"#,
        r#"{"command":1e999}"#,
        r#"{"command":"PING","label":123456789012345678901234567890}"#,
        r#"{"command":"\ud800"}"#,
        r#"{"command":"\udc00\ud800"}"#,
        "\u{feff}{\"command\":\"PING\"}",
        r#"{"command":"PING"}x"#,
        r#"{"command":"PING"}{}"#,
        r#"{"command":"PING",}"#,
        &deep,
    ] {
        let error = json::<MessageBody>(body.as_bytes())
            .err()
            .unwrap_or_else(|| panic!("{body} is read"));
        assert_eq!(error.code, Code::MalformedRequest);
    }
    let read = json::<MessageBody>(br#" { "label" : null , "command" : "\u0050ING" } "#).ok();
    assert!(read.is_some_and(|m| m.label.is_none() && m.command == "PING" && m.params.is_empty()));
}
