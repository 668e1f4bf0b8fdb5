//! A row of the table of verbs, and the properties of changes.

use crate::{error::Result, model::Requirement};

/// A row of the table of verbs. `C` is the command that the verb's parameters are parsed as; the
/// table of [`super::command`] says which.
pub struct Verb<C: 'static> {
    /// The verb, in upper case.
    pub name: &'static str,
    /// The fewest parameters. It is 0 for verbs that report a missing parameter with an error of
    /// their own.
    pub(super) min_params: usize,
    /// The scope that a caller needs.
    pub requires: Requirement,
    /// Whether the verb never changes the store, so that it can run on a read-only connection.
    pub read_only: bool,
    /// The syntax that help and errors show.
    pub syntax: &'static str,
    /// What the verb does, for help.
    pub help: &'static str,
    /// The parser of the parameters. There are at least `min_params` of them.
    pub(super) parse: fn(&[String]) -> Result<C>,
}

/// The properties of a change that are known before it is carried out.
pub trait ChangeInfo {
    /// The most events that the change can create, and the bytes of text in each.
    fn size(&self) -> (usize, usize);

    /// How many targets or changes of modes it names. The server does its work once for each.
    fn targets(&self) -> usize {
        1
    }

    /// Whether it only takes something away, so that a full disk need not refuse it.
    /// `answer_is_kept` says whether its answer will be stored.
    fn only_removes(&self, answer_is_kept: bool) -> bool;
}
