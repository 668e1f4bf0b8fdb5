//! MODE: a channel's modes and bans, and how their changes are written.

use crate::{
    error::{Code, Error, Result},
    irc::{
        mask::Mask,
        mode::Flag,
        reply::numerics,
        verb::{ChangeInfo, Verb},
    },
    model::{ChannelName, Nick, Requirement, Scope, Target, whole_number},
};

numerics! {
    RPL_UMODEIS "221"
    RPL_CHANNELMODEIS "324"
    RPL_CREATIONTIME "329"
    RPL_BANLIST "367"
    RPL_ENDOFBANLIST "368"
}

/// The most bytes of a channel's key.
const KEY_LIMIT: usize = 64;

/// The family's commands that change nothing.
#[derive(Clone, Debug)]
pub enum Query {
    /// MODE without changes: a channel's modes.
    Modes(ChannelName),
    /// MODE `b` without a mask: a channel's bans.
    Bans(ChannelName),
    /// MODE of a nick. The server has no user modes, so the reply is empty and changes are refused.
    UserModes {
        /// The nick.
        nick: Nick,
        /// The changes that were asked for, as text.
        changes: Option<String>,
    },
}

/// The family's commands that change something.
#[derive(Clone, Debug)]
pub enum Change {
    /// MODE: change a channel's modes. At least one of the changes is no query.
    Modes {
        /// The channel.
        channel: ChannelName,
        /// The changes, in the order they were given.
        changes: Vec<ModeChange>,
    },
}

/// One change or query of a MODE command. The boolean says whether the mode is set (true) or
/// cleared.
#[derive(Clone, Debug)]
pub enum ModeChange {
    /// A flag.
    Flag(Flag, bool),
    /// `k`: the new key. `None` removes it.
    Key(Option<String>),
    /// `l`: the new limit. `None` removes it.
    Limit(Option<u32>),
    /// `o`: the operator status of a member.
    Op(Nick, bool),
    /// `v`: the voice of a member.
    Voice(Nick, bool),
    /// `b`: a ban.
    Ban(Mask, bool),
    /// `b` without a mask: list the bans.
    ListBans,
}

impl ModeChange {
    /// Whether this is a query, which changes nothing.
    pub fn is_query(&self) -> bool {
        matches!(self, Self::ListBans)
    }

    /// Whether this only takes something away.
    pub fn only_removes(&self) -> bool {
        match self {
            Self::Flag(_, on) | Self::Op(_, on) | Self::Voice(_, on) | Self::Ban(_, on) => !on,
            Self::Key(key) => key.is_none(),
            Self::Limit(limit) => limit.is_none(),
            Self::ListBans => false,
        }
    }
}

impl ChangeInfo for Change {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Modes { .. } => (1, 0),
        }
    }

    fn targets(&self) -> usize {
        match self {
            Self::Modes { changes, .. } => changes.len(),
        }
    }

    fn only_removes(&self, answer_is_kept: bool) -> bool {
        match self {
            Self::Modes { changes, .. } => changes.iter().all(|change| match change {
                // With the answer, the list of bans would be stored.
                ModeChange::ListBans => !answer_is_kept,
                change => change.only_removes(),
            }),
        }
    }
}

/// MODE's row in the table of verbs.
pub const fn verbs<C: From<Query> + From<Change>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("MODE", Requirement::Scope(Scope::ChatModerate), mode)
                .min_params(1)
                .syntax("MODE <channel> [<modes> [<parameter>…]]")
                .help("shows or changes a channel's modes"),
        ]
    }
}

/// `MODE <channel> [<modes> [<parameter>…]]`, or `MODE <nick> [<modes>]`.
fn mode<C: From<Query> + From<Change>>(params: &[String]) -> Result<C> {
    match Target::parse(&params[0])? {
        Target::Channel(channel) => {
            let modes = params.get(1).map_or("", String::as_str);
            let changes = parse_changes(modes, params.get(2..).unwrap_or_default()).map_err(
                |mut error| {
                    // These two numerics name the channel first, and the parser of changes does not
                    // know the channel.
                    if matches!(error.code, Code::InvalidModeParam | Code::InvalidKey) {
                        error.context.insert(0, channel.to_string());
                    }
                    error
                },
            )?;
            Ok(if changes.is_empty() {
                Query::Modes(channel).into()
            } else if changes.iter().all(ModeChange::is_query) {
                Query::Bans(channel).into()
            } else {
                Change::Modes { channel, changes }.into()
            })
        }
        Target::Nick(nick) => {
            let changes = params.get(1).cloned();
            Ok(Query::UserModes { nick, changes }.into())
        }
    }
}

/// Parses modes and arguments such as `+o-v+l` and `[bob, carol, 50]`. One mistake refuses the
/// whole command, so that no command is half done. Fails with `need_more_params`, `unknown_mode`,
/// `invalid_mode_param`, `invalid_key` or `no_such_nick`.
pub fn parse_changes(modes: &str, args: &[String]) -> Result<Vec<ModeChange>> {
    let mut args = args.iter().map(String::as_str);
    let mut changes = Vec::new();
    // The number of arguments that the remaining letters need.
    let mut wanted = signed(modes)
        .filter(|(letter, on)| wants_argument(*letter, *on))
        .count();
    for (letter, on) in signed(modes) {
        wanted -= usize::from(wants_argument(letter, on));
        let mut argument = || {
            let missing = || {
                Error::new(
                    Code::NeedMoreParams,
                    format!("the mode {letter} requires a parameter"),
                )
                .about("MODE")
            };
            args.next().ok_or_else(missing)
        };
        changes.push(match letter {
            'k' if on => ModeChange::Key(Some(parse_key(argument()?)?)),
            'k' => {
                // IRC clients repeat the key when they remove it. Skip the key unless a later mode
                // needs the argument.
                if args.len() > wanted {
                    args.next();
                }
                ModeChange::Key(None)
            }
            'l' if on => ModeChange::Limit(Some(parse_limit(argument()?)?)),
            'l' => ModeChange::Limit(None),
            'o' => ModeChange::Op(Nick::named(argument()?)?, on),
            'v' => ModeChange::Voice(Nick::named(argument()?)?, on),
            'b' => match args.next() {
                Some(mask) => ModeChange::Ban(parse_ban(mask)?, on),
                None => ModeChange::ListBans,
            },
            other => match Flag::of(other) {
                Some(flag) => ModeChange::Flag(flag, on),
                None => {
                    return Err(Error::new(
                        Code::UnknownMode,
                        format!("this server has no mode {other}"),
                    )
                    .about(other));
                }
            },
        });
    }
    Ok(changes)
}

/// The mode letters, each with its sign as a boolean (true for `+`).
fn signed(modes: &str) -> impl Iterator<Item = (char, bool)> {
    let mut on = true;
    modes.chars().filter_map(move |c| match c {
        '+' | '-' => {
            on = c == '+';
            None
        }
        letter => Some((letter, on)),
    })
}

/// Whether a letter takes an argument. `b` also works without one, and `-k` takes one only if it is
/// left over.
fn wants_argument(letter: char, on: bool) -> bool {
    "ovb".contains(letter) || (on && "kl".contains(letter))
}

fn parse_key(key: &str) -> Result<String> {
    if key.is_empty() || key.len() > KEY_LIMIT || key.contains([' ', ',']) {
        return Err(Error::new(
            Code::InvalidKey,
            "a channel key must have 1 to 64 bytes, without spaces or commas",
        ));
    }
    Ok(key.to_owned())
}

fn parse_ban(mask: &str) -> Result<Mask> {
    Mask::parse(mask).map_err(|error| {
        Error {
            code: Code::InvalidModeParam,
            ..error
        }
        .about("b")
        .about("*")
    })
}

fn parse_limit(limit: &str) -> Result<u32> {
    let bad = || {
        Error::new(
            Code::InvalidModeParam,
            "the limit must be a number above zero",
        )
        .about("l")
        .about("*")
    };
    let limit = whole_number(limit).and_then(|limit| limit.try_into().ok());
    limit.filter(|n| *n > 0).ok_or_else(bad)
}

/// Renders the changes that took effect, such as `["+o-t", "bob"]`.
pub fn render_changes(changes: &[(bool, char, Option<String>)]) -> Vec<String> {
    let mut modes = String::new();
    let mut sign = None;
    for (on, letter, _) in changes {
        if sign != Some(*on) {
            modes.push(if *on { '+' } else { '-' });
            sign = Some(*on);
        }
        modes.push(*letter);
    }
    std::iter::once(modes)
        .chain(changes.iter().filter_map(|(_, _, arg)| arg.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
