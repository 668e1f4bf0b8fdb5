//! The server's messages as types. A field with another name, or an unknown field, fails the test.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// An event as a client receives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub id: i64,
    /// As RFC 3339, in UTC, with milliseconds.
    pub time: String,
    /// A nick, or the server.
    pub source: String,
    pub command: String,
    pub params: Vec<String>,
    /// The sender's label. Only the client that sent the message gets it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub label: Option<String>,
    /// The name of the app that sent the message.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub app: Option<String>,
}

/// A page of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub messages: Vec<Message>,
    /// The position up to which the log was read.
    pub next: i64,
}

/// A page of history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    pub messages: Vec<Message>,
}

impl Message {
    /// One of the parameters. Panics if the message has no such parameter.
    #[track_caller]
    pub fn param(&self, index: usize) -> &str {
        self.params
            .get(index)
            .unwrap_or_else(|| panic!("{self:?} has no parameter {index}"))
    }

    /// The second parameter, which is the text of a PRIVMSG or NOTICE.
    pub fn text(&self) -> Option<&str> {
        self.params.get(1).map(String::as_str)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", json!(self))
    }
}

/// Reads an answer. It must have exactly the fields of the type.
#[track_caller]
pub fn read<T: DeserializeOwned>(answer: Value) -> T {
    serde_json::from_value(answer.clone()).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// Reads a field that may be absent, but must not be null.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    String::deserialize(field).map(Some)
}
