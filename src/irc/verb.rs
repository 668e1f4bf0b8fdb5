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
    /// The syntax that help and errors show.
    pub syntax: &'static str,
    /// What the verb does, for help.
    pub help: &'static str,
    /// The parser of the parameters. There are at least `min_params` of them.
    pub(super) parse: fn(&[String]) -> Result<C>,
}

impl<C> Verb<C> {
    /// A row for a verb that needs no parameters, still without its syntax and its help.
    pub(super) const fn new(
        name: &'static str,
        requires: Requirement,
        parse: fn(&[String]) -> Result<C>,
    ) -> Self {
        Self {
            name,
            min_params: 0,
            requires,
            syntax: "",
            help: "",
            parse,
        }
    }

    /// The row, with the fewest parameters.
    pub(super) const fn min_params(mut self, min_params: usize) -> Self {
        self.min_params = min_params;
        self
    }

    /// The row, with the verb's syntax.
    pub(super) const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// The row, with what the verb does.
    pub(super) const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
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
