//! The replies of one answer: as many as it holds, and a last one that says so if there are more.

use std::fmt::Display;

use crate::{
    irc::{Reply, reply::ERR_TOOMANYMATCHES},
    store::{session::Session, texts},
};

/// Bytes of one answer's replies: an answer is held in memory until its reader has it.
pub const ANSWER_BYTES: usize = 128 * 1024;

/// Replies that are gathered for a session.
pub struct Replies<'a> {
    pub me: &'a Session,
    list: Vec<Reply>,
    bytes: usize,
    truncated: bool,
}

impl<'a> Replies<'a> {
    pub fn new(me: &'a Session) -> Self {
        Self {
            me,
            list: Vec::new(),
            bytes: 0,
            truncated: false,
        }
    }

    /// Further replies of an answer that has some already.
    pub fn behind(me: &'a Session, before: &[Reply]) -> Self {
        Self {
            bytes: before.iter().map(length).sum(),
            ..Self::new(me)
        }
    }

    /// Adds one of many, if there is room for it.
    pub fn add(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.push(Reply::numeric(numeric, &self.me.nick, params));
    }

    /// The same of one that there is already.
    pub fn push(&mut self, reply: Reply) {
        self.bytes += length(&reply);
        if self.bytes <= ANSWER_BYTES {
            self.list.push(reply);
        } else {
            self.truncated = true;
        }
    }

    /// Adds one that ends a part of the answer, and is there in any case.
    pub fn end(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.list
            .push(Reply::numeric(numeric, &self.me.nick, params));
    }

    /// Notes that there is more than was asked of the store.
    pub fn truncate(&mut self) {
        self.truncated = true;
    }

    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Bytes that there is room for.
    pub fn room(&self) -> usize {
        ANSWER_BYTES.saturating_sub(self.bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, behind what `verb` and `about` say of those that are missing.
    pub fn finish(mut self, verb: &str, about: &dyn Display) -> Vec<Reply> {
        if self.truncated {
            self.end(
                ERR_TOOMANYMATCHES,
                &[
                    &verb,
                    about,
                    &"This answer is not complete: there is more than it holds",
                ],
            );
        }
        self.list
    }
}

/// Bytes of a reply as JSON, about.
fn length(reply: &Reply) -> usize {
    reply
        .params
        .iter()
        .map(|param| texts::rendered_length(param) + 3)
        .sum::<usize>()
        + 60
}
