//! The replies of one answer: as many as fit, and a last one if there are more.

use std::fmt::Display;

use crate::{
    irc::{Reply, reply::ERR_TOOMANYMATCHES},
    model::REASON_LIMIT,
    store::{session::Session, texts},
};

/// Bytes of one answer's replies, at most. An answer is held in memory until its reader has it.
pub const ANSWER_BYTES: usize = 128 * 1024;
/// The most bytes of a short answer: a refusal, or the reply for one target that fails.
pub const SHORT_BYTES: usize = 1024;
/// Bytes of an answer that quotes one text, at most. Every byte of the text may be escaped.
pub const TEXT_BYTES: usize = 6 * REASON_LIMIT + SHORT_BYTES;

/// Replies that are collected for a session.
pub struct Replies<'a> {
    /// The session that asked.
    pub me: &'a Session,
    list: Vec<Reply>,
    bytes: usize,
    truncated: bool,
}

impl<'a> Replies<'a> {
    /// No replies yet.
    pub fn new(me: &'a Session) -> Self {
        Self {
            me,
            list: Vec::new(),
            bytes: 0,
            truncated: false,
        }
    }

    /// Further replies of an answer that has the replies `before` already.
    pub fn behind(me: &'a Session, before: &[Reply]) -> Self {
        Self {
            bytes: before.iter().map(length).sum(),
            ..Self::new(me)
        }
    }

    /// Adds a numeric, one of many, if there is room for it.
    pub fn add(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.push(Reply::numeric(numeric, &self.me.nick, params));
    }

    /// Adds a reply, if there is room for it.
    pub fn push(&mut self, reply: Reply) {
        self.bytes += length(&reply);
        if self.bytes <= ANSWER_BYTES {
            self.list.push(reply);
        } else {
            self.truncated = true;
        }
    }

    /// Adds a numeric that starts or ends a part of the answer. It is added even if there is no
    /// room.
    pub fn end(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.list
            .push(Reply::numeric(numeric, &self.me.nick, params));
    }

    /// Notes that the answer is incomplete because not everything was read.
    pub fn truncate(&mut self) {
        self.truncated = true;
    }

    /// Whether the answer is incomplete.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The bytes that there is room for.
    pub fn room(&self) -> usize {
        ANSWER_BYTES.saturating_sub(self.bytes)
    }

    /// Whether there are no replies.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All replies. If the answer is incomplete, a last one says so; it names `verb` and `about`.
    pub fn finish(mut self, verb: &str, about: &dyn Display) -> Vec<Reply> {
        if self.truncated {
            self.end(
                ERR_TOOMANYMATCHES,
                &[
                    &verb,
                    about,
                    &"This answer is incomplete, because the whole would be too long",
                ],
            );
        }
        self.list
    }
}

/// The bytes of a reply as JSON, roughly.
fn length(reply: &Reply) -> usize {
    reply
        .params
        .iter()
        .map(|param| texts::rendered_length(param) + 3)
        .sum::<usize>()
        + 60
}
