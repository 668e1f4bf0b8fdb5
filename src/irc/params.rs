//! Parsers of parameters that several verbs have: lists of targets, ids, and texts within a limit.

use std::collections::HashSet;

use crate::{
    error::{Code, Error, Result},
    model::{ChannelName, EventId, REASON_LIMIT, SessionId, whole_number},
};

/// The most targets that one command may name.
pub const MAX_TARGETS: usize = 20;

/// The targets of a command. Each one is valid or refused by itself.
pub type TargetResults<T> = Vec<Result<T>>;

/// Parses an event's id, as a position to read from or to acknowledge. Fails with
/// `malformed_request`, or with `invalid_cursor` for a negative id, which was never issued.
pub fn event_id(text: &str) -> Result<EventId> {
    let id = whole_number(text).ok_or_else(|| Error::malformed("an id must be a whole number"))?;
    if id < 0 {
        return Err(Error::new(Code::InvalidCursor, "no event has this id"));
    }
    Ok(EventId(id))
}

/// Parses a session's id. Fails with `malformed_request` unless it is a whole number. An id that
/// was never issued belongs to no session.
pub fn session_id(text: &str) -> Result<SessionId> {
    whole_number(text)
        .map(SessionId)
        .ok_or_else(|| Error::malformed("a session's id must be a whole number"))
}

/// Parses each item of a list by itself and drops repetitions. Fails with `too_many_targets` past
/// [`MAX_TARGETS`].
pub(super) fn parse_each<I, T, E: Into<Error>>(
    items: impl Iterator<Item = I>,
    parse: impl Fn(I) -> Result<T, E>,
    folded: impl Fn(&T) -> String,
) -> Result<TargetResults<T>> {
    let mut seen = HashSet::new();
    let mut parsed = Vec::new();
    for item in items {
        match parse(item).map_err(Into::into) {
            Ok(item) if !seen.insert(folded(&item)) => {}
            _ if parsed.len() == MAX_TARGETS => {
                let detail = format!("a command can have at most {MAX_TARGETS} targets");
                return Err(Error::new(Code::TooManyTargets, detail).about("*"));
            }
            other => parsed.push(other),
        }
    }
    Ok(parsed)
}

/// Parses a list of channels that are not about to be created.
pub(super) fn channels(names: &str) -> Result<TargetResults<ChannelName>> {
    parse_each(names.split(','), existing_channel, ChannelName::folded)
}

/// Parses the name of a channel that is not about to be created. A name that no channel can have
/// gives `no_such_channel`.
pub(super) fn existing_channel(name: &str) -> Result<ChannelName> {
    ChannelName::named(name).map_err(Error::from)
}

/// Parses the text of a reason. An empty one counts as none. Fails with `input_too_long`.
pub(super) fn reason(text: Option<&String>) -> Result<Option<String>> {
    let text = text.filter(|text| !text.is_empty()).cloned();
    text.map(|text| within(text, REASON_LIMIT, "the text"))
        .transpose()
}

/// The text, unless it has more than `limit` bytes. Then it fails with `input_too_long`, and `what`
/// names the text.
pub(super) fn within(text: String, limit: usize, what: &str) -> Result<String> {
    if text.len() > limit {
        Err(Error::too_long(what, limit, "bytes"))
    } else {
        Ok(text)
    }
}

/// The bytes of an optional text.
pub(super) fn length(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
