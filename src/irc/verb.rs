//! The one table of verbs: parameters, scope, parser and help.

use super::{command::Command, params};
use crate::{
    error::Result,
    model::{Requirement, Scope},
};

/// A row of the table of verbs.
pub struct Verb {
    /// The verb, in upper case.
    pub name: &'static str,
    /// The fewest parameters. It is 0 for verbs that report a missing parameter with an error of
    /// their own.
    pub(super) min_params: usize,
    /// What a caller needs.
    pub requires: Requirement,
    /// Whether the verb never changes the store, so that it can run on a read-only connection.
    pub reads: bool,
    /// The syntax that help and errors show.
    pub syntax: &'static str,
    /// What the verb does, for help.
    pub help: &'static str,
    pub(super) parse: fn(&[String]) -> Result<Command>,
}

impl Verb {
    /// Finds the row of a verb, ignoring ASCII case.
    pub fn find(name: &str) -> Option<&'static Self> {
        VERBS
            .iter()
            .find(|verb| verb.name.eq_ignore_ascii_case(name))
    }

    /// Whether the command is a single transaction. The next command may then be queued behind it
    /// without waiting for its result.
    pub fn is_one_write(&self) -> bool {
        !self.reads && self.name != "PASS"
    }
}

/// The table of verbs.
#[rustfmt::skip]
pub const VERBS: &[Verb] = &[
    Verb { name: "PASS",     min_params: 1, requires: Requirement::Scope(Scope::SessionManage), reads: false, parse: params::pass,
           syntax: "PASS <new> [<current>]", help: "sets the session's password; the current one is needed once one is set" },
    Verb { name: "NICK",     min_params: 0, requires: Requirement::Scope(Scope::SessionManage), reads: false, parse: params::nick,
           syntax: "NICK <nick>", help: "renames the session" },
    Verb { name: "JOIN",     min_params: 1, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::join,
           syntax: "JOIN <channel>{,<channel>} [<key>{,<key>}]", help: "joins channels; one that does not exist is made" },
    Verb { name: "PART",     min_params: 1, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::part,
           syntax: "PART <channel>{,<channel>} [<reason>]", help: "leaves channels" },
    Verb { name: "PRIVMSG",  min_params: 0, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::privmsg,
           syntax: "PRIVMSG <target>{,<target>} <text>", help: "says something to channels and nicks" },
    Verb { name: "NOTICE",   min_params: 0, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::notice,
           syntax: "NOTICE <target>{,<target>} <text>", help: "says something that wants no answer, and never fails" },
    Verb { name: "TOPIC",    min_params: 1, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::topic,
           syntax: "TOPIC <channel> [<text>]", help: "shows or sets a channel's topic; an empty one clears it" },
    Verb { name: "NAMES",    min_params: 0, requires: Requirement::Scope(Scope::ChatRead), reads: true, parse: params::names,
           syntax: "NAMES [<channel>{,<channel>}]", help: "lists who is on channels" },
    Verb { name: "LIST",     min_params: 0, requires: Requirement::Scope(Scope::ChatRead), reads: true, parse: params::list,
           syntax: "LIST [<channel>{,<channel>}]", help: "lists channels with their members and topics" },
    Verb { name: "WHO",      min_params: 1, requires: Requirement::Scope(Scope::ChatRead), reads: true, parse: params::who,
           syntax: "WHO <channel or mask>", help: "lists who is on a channel, or whose nick fits a mask" },
    Verb { name: "WHOIS",    min_params: 0, requires: Requirement::Scope(Scope::ChatRead), reads: true, parse: params::whois,
           syntax: "WHOIS <nick>", help: "tells of one person" },
    Verb { name: "AWAY",     min_params: 0, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::away,
           syntax: "AWAY [<text>]", help: "says that one is away, or, without a text, back" },
    Verb { name: "KICK",     min_params: 2, requires: Requirement::Scope(Scope::ChatModerate), reads: false, parse: params::kick,
           syntax: "KICK <channel> <nick>{,<nick>} [<reason>]", help: "removes somebody from a channel" },
    Verb { name: "INVITE",   min_params: 2, requires: Requirement::Scope(Scope::ChatModerate), reads: false, parse: params::invite,
           syntax: "INVITE <nick> <channel>", help: "invites somebody to a channel" },
    Verb { name: "MODE",     min_params: 1, requires: Requirement::Scope(Scope::ChatModerate), reads: false, parse: params::mode,
           syntax: "MODE <channel> [<modes> [<parameter>…]]", help: "shows or changes a channel's modes" },
    Verb { name: "SILENCE",  min_params: 0, requires: Requirement::Scope(Scope::SessionManage), reads: false, parse: params::silence,
           syntax: "SILENCE [+<mask>|-<mask>]", help: "blocks direct messages and invitations from senders that match a mask" },
    Verb { name: "MARKREAD", min_params: 1, requires: Requirement::Scope(Scope::ChatWrite), reads: false, parse: params::mark_read,
           syntax: "MARKREAD <target> [<id>]", help: "moves the session's read mark forward, or shows it" },
    Verb { name: "ACK",      min_params: 1, requires: Requirement::AnyClient, reads: true, parse: params::ack,
           syntax: "ACK <id>", help: "acknowledges this client's queue up to an id" },
    Verb { name: "PING",     min_params: 1, requires: Requirement::AnyClient, reads: true, parse: params::ping,
           syntax: "PING <token>", help: "is answered with PONG" },
    Verb { name: "QUIT",     min_params: 0, requires: Requirement::AnyClient, reads: false, parse: params::quit,
           syntax: "QUIT [<reason>]", help: "this client leaves; the session ends with the last one" },
];
