//! Views of the server's JSON answers. Each says what it expects, and shows the answer if it gets
//! something else.

use serde_json::Value;

use super::Message;

/// Views of an answer's JSON. Tests of an answer's exact shape compare the JSON itself.
pub trait JsonAnswer {
    /// The elements of a list.
    fn items(&self) -> &[Value];
    /// The text of a string.
    fn text(&self) -> &str;

    /// The messages of a page of a queue or of history.
    fn messages(&self) -> &[Value];
    /// The replies to a command.
    fn replies(&self) -> &[Value];
    /// The ids of the events that a command caused.
    fn ids(&self) -> &[Value];

    /// A message's command or numeric.
    fn command(&self) -> &str;
}

impl JsonAnswer for Value {
    #[track_caller]
    fn items(&self) -> &[Value] {
        self.as_array()
            .unwrap_or_else(|| panic!("{self} is no list"))
    }

    #[track_caller]
    fn text(&self) -> &str {
        self.as_str()
            .unwrap_or_else(|| panic!("{self} is no string"))
    }

    #[track_caller]
    fn messages(&self) -> &[Value] {
        self["messages"].items()
    }

    #[track_caller]
    fn replies(&self) -> &[Value] {
        self["replies"].items()
    }

    #[track_caller]
    fn ids(&self) -> &[Value] {
        self["ids"].items()
    }

    #[track_caller]
    fn command(&self) -> &str {
        self["command"].text()
    }
}

/// The commands of some messages, in order.
pub fn commands<M: Said>(messages: &[M]) -> Vec<&str> {
    messages.iter().map(Said::said_command).collect()
}

/// A message's parameters.
pub fn params<M: Said>(message: &M) -> Vec<&str> {
    message.said_params()
}

/// An event or a reply.
pub trait Said {
    fn said_command(&self) -> &str;
    fn said_params(&self) -> Vec<&str>;
}

impl<M: Said> Said for &M {
    fn said_command(&self) -> &str {
        (**self).said_command()
    }

    fn said_params(&self) -> Vec<&str> {
        (**self).said_params()
    }
}

impl Said for Message {
    fn said_command(&self) -> &str {
        &self.command
    }

    fn said_params(&self) -> Vec<&str> {
        self.params.iter().map(String::as_str).collect()
    }
}

impl Said for Value {
    fn said_command(&self) -> &str {
        self.command()
    }

    fn said_params(&self) -> Vec<&str> {
        self["params"]
            .items()
            .iter()
            .map(JsonAnswer::text)
            .collect()
    }
}
