//! Channel modes: `n t m i s H` flags, `k` and `l` with a value, `o v b` about somebody.

use std::fmt::Write;

use super::glob::Candidate;
use crate::{
    error::{Code, Error, Result},
    model::{Nick, whole_number},
};

/// Bytes of a channel's key, and of a ban's mask.
const VALUE_LIMIT: usize = 64;

/// What a channel is set to. A new one is `+nt`, as on most networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    /// `i m n s t H`, those that are set.
    pub flags: Vec<Flag>,
    pub key: Option<String>,
    pub limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    InviteOnly,
    Moderated,
    NoExternal,
    Secret,
    TopicLocked,
    /// Members may read what was said while it was set, before they joined, too.
    History,
}

/// How much of a channel a session is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Lists leave the channel out.
    Nothing,
    /// Its name, but neither its topic nor who or how many are on it.
    Name,
    Everything,
}

impl Flag {
    const ALL: [(char, Self); 6] = [
        ('i', Self::InviteOnly),
        ('m', Self::Moderated),
        ('n', Self::NoExternal),
        ('s', Self::Secret),
        ('t', Self::TopicLocked),
        ('H', Self::History),
    ];

    pub fn letter(self) -> char {
        Self::ALL[self as usize].0
    }

    fn of(letter: char) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(l, _)| *l == letter)
            .map(|(_, flag)| flag)
    }
}

impl Modes {
    pub fn new() -> Self {
        Self {
            flags: vec![Flag::NoExternal, Flag::TopicLocked],
            key: None,
            limit: None,
        }
    }

    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Sets or clears a flag; whether that changed anything.
    pub fn set(&mut self, flag: Flag, on: bool) -> bool {
        if self.has(flag) == on {
            return false;
        }
        if on {
            self.flags.push(flag);
            self.flags.sort();
        } else {
            self.flags.retain(|f| *f != flag);
        }
        true
    }

    /// How much those are shown who are not on the channel. This is the one rule; whoever shows a
    /// channel asks it, by `Sight::shown` where there is a session that may be a member.
    pub fn shown_outside(&self) -> Shown {
        if self.has(Flag::Secret) {
            Shown::Nothing
        } else if self.has(Flag::InviteOnly) || self.key.is_some() {
            Shown::Name
        } else {
            Shown::Everything
        }
    }

    /// The flags' letters, as the store keeps them.
    pub fn letters(&self) -> String {
        self.flags.iter().map(|f| f.letter()).collect()
    }

    pub fn from_letters(letters: &str) -> Vec<Flag> {
        letters.chars().filter_map(Flag::of).collect()
    }

    /// `+klnt secret 50`; those outside the channel see no key.
    pub fn render(&self, inside: bool) -> String {
        let mut text = String::from("+");
        let mut values = String::new();
        for flag in self.flags.iter().filter(|f| **f == Flag::InviteOnly) {
            text.push(flag.letter());
        }
        if let Some(key) = &self.key {
            text.push('k');
            if inside {
                let _ = write!(values, " {key}");
            }
        }
        if let Some(limit) = self.limit {
            text.push('l');
            let _ = write!(values, " {limit}");
        }
        for flag in self.flags.iter().filter(|f| **f != Flag::InviteOnly) {
            text.push(flag.letter());
        }
        text + &values
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self::new()
    }
}

/// One thing a MODE command asks for.
#[derive(Clone, Debug)]
pub enum ModeChange {
    Flag(Flag, bool),
    Key(Option<String>),
    Limit(Option<u32>),
    Op(Nick, bool),
    Voice(Nick, bool),
    Ban(Mask, bool),
    ListBans,
}

impl ModeChange {
    /// Whether it changes nothing and only shows something.
    pub fn asks(&self) -> bool {
        matches!(self, Self::ListBans)
    }

    /// Whether it only takes something away.
    pub fn ends(&self) -> bool {
        match self {
            Self::Flag(_, on) | Self::Op(_, on) | Self::Voice(_, on) | Self::Ban(_, on) => !on,
            Self::Key(key) => key.is_none(),
            Self::Limit(limit) => limit.is_none(),
            Self::ListBans => false,
        }
    }
}

/// Parses `+o-v+l`, `[bob, carol, 50]`. One mistake refuses the whole command, so nothing is half
/// done.
pub fn parse_changes(modes: &str, args: &[String]) -> Result<Vec<ModeChange>> {
    let mut args = args.iter().map(String::as_str);
    let mut changes = Vec::new();
    // How many arguments the letters still to come want.
    let mut wanted = signed(modes)
        .filter(|(letter, on)| wants_argument(*letter, *on))
        .count();
    for (letter, on) in signed(modes) {
        wanted -= usize::from(wants_argument(letter, on));
        let mut argument = || {
            let missing = || {
                Error::new(
                    Code::NeedMoreParams,
                    format!("mode {letter} needs a parameter"),
                )
                .about("MODE")
            };
            args.next().ok_or_else(missing)
        };
        changes.push(match letter {
            'k' if on => ModeChange::Key(Some(parse_key(argument()?)?)),
            'k' => {
                // IRC's clients repeat the key when they take it away; it is passed over unless a
                // later mode needs it.
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
                    return Err(
                        Error::new(Code::UnknownMode, format!("there is no mode {other}"))
                            .about(other),
                    );
                }
            },
        });
    }
    Ok(changes)
}

/// The letters, each with the sign before it.
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

/// Whether a letter wants an argument; a `b` makes do without, and a `-k` takes one that is left
/// over.
fn wants_argument(letter: char, on: bool) -> bool {
    "ovb".contains(letter) || (on && "kl".contains(letter))
}

fn parse_key(key: &str) -> Result<String> {
    if key.is_empty() || key.len() > VALUE_LIMIT || key.contains([' ', ',']) {
        return Err(Error::new(
            Code::InvalidKey,
            "a key has 1 to 64 bytes without space or comma",
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
        Error::new(Code::InvalidModeParam, "a limit is a number above zero")
            .about("l")
            .about("*")
    };
    let limit = whole_number(limit).and_then(|limit| limit.try_into().ok());
    limit.filter(|n| *n > 0).ok_or_else(bad)
}

/// Renders the changes that took effect: `["+o-t", "bob"]`.
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

/// A mask of a ban or of SILENCE, `nick!user@host` with `*` and `?`. A user is `s` and the
/// session's id; the host is the server's name for all, because nobody's address is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(String);

impl Mask {
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > VALUE_LIMIT || text.contains([' ', ',']) {
            return Err(Error::malformed(
                "a mask has 1 to 64 bytes without space or comma",
            ));
        }
        let (nick, rest) = match (text.split_once('!'), text.contains('@')) {
            (Some((nick, rest)), _) => (nick, rest),
            (None, true) => ("*", text),
            (None, false) => (text, ""),
        };
        let (user, host) = rest.split_once('@').unwrap_or((rest, ""));
        let or_any = |part: &str| {
            if part.is_empty() {
                "*".to_owned()
            } else {
                part.to_owned()
            }
        };
        Ok(Self(format!(
            "{}!{}@{}",
            or_any(nick),
            or_any(user),
            or_any(host)
        )))
    }

    /// A mask that was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nick that it is made of, if its nick part has no wildcard.
    pub fn nick(&self) -> Option<Nick> {
        self.0
            .split_once('!')
            .and_then(|(nick, _)| Nick::parse(nick).ok())
    }

    /// The form by which masks are compared.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    pub fn matches(&self, who: &Candidate) -> bool {
        who.fits(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(modes: &str, args: &[&str]) -> Result<Vec<ModeChange>> {
        parse_changes(
            modes,
            &args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn changes_take_their_arguments_in_order() {
        let changes = parse("+ov-b+l-k", &["bob", "carol", "dave", "5", "oldkey"]).unwrap();
        let [
            ModeChange::Op(bob, true),
            ModeChange::Voice(carol, true),
            ModeChange::Ban(dave, false),
            ModeChange::Limit(Some(5)),
            ModeChange::Key(None),
        ] = changes.as_slice()
        else {
            panic!("{changes:?}")
        };
        assert_eq!(
            (bob.as_str(), carol.as_str(), dave.as_str()),
            ("bob", "carol", "dave!*@*")
        );
        assert!(matches!(
            parse("-ko", &["bob"]).unwrap().as_slice(),
            [ModeChange::Key(None), ModeChange::Op(_, false)]
        ));
        assert!(matches!(
            parse("-k+l", &["5"]).unwrap().as_slice(),
            [ModeChange::Key(None), ModeChange::Limit(Some(5))]
        ));
        assert!(
            matches!(parse("-k+k", &["old", "new"]).unwrap().as_slice(), [_, ModeChange::Key(Some(key))] if key == "new")
        );
        assert!(matches!(
            parse("b", &[]).unwrap().as_slice(),
            [ModeChange::ListBans]
        ));
    }

    /// At this size a look ahead for each letter would take minutes.
    #[test]
    fn many_modes_do_not_take_long() {
        assert_eq!(parse(&"-k".repeat(200_000), &[]).unwrap().len(), 200_000);
    }

    #[test]
    fn a_mistake_refuses_the_whole() {
        for (modes, args, code) in [
            ("+tz", vec![], Code::UnknownMode),
            ("+o", vec![], Code::NeedMoreParams),
            ("+o", vec!["0"], Code::NoSuchNick),
            ("+l", vec!["0"], Code::InvalidModeParam),
            ("+l", vec!["many"], Code::InvalidModeParam),
            ("+k", vec!["a,b"], Code::InvalidKey),
            ("+b", vec![""], Code::InvalidModeParam),
        ] {
            assert_eq!(
                parse(modes, &args).unwrap_err().code,
                code,
                "{modes} {args:?}"
            );
        }
    }

    #[test]
    fn modes_render_with_the_key_for_insiders_alone() {
        let mut modes = Modes::new();
        assert_eq!(modes.render(true), "+nt");
        assert!(modes.set(Flag::InviteOnly, true) && !modes.set(Flag::InviteOnly, true));
        modes.key = Some("sesame".into());
        modes.limit = Some(5);
        assert_eq!(modes.render(true), "+iklnt sesame 5");
        assert_eq!(modes.render(false), "+iklnt 5");
        assert_eq!(Modes::from_letters(&modes.letters()), modes.flags);
        assert!(modes.set(Flag::Secret, true));
        assert_eq!(modes.render(false), "+iklnst 5");
    }

    #[test]
    fn what_outsiders_are_shown_goes_by_the_modes() {
        for (flags, key, shown) in [
            ("nt", None, Shown::Everything),
            ("mnt", None, Shown::Everything),
            ("int", None, Shown::Name),
            ("nt", Some("sesame"), Shown::Name),
            ("s", None, Shown::Nothing),
            ("is", Some("sesame"), Shown::Nothing),
        ] {
            let modes = Modes {
                flags: Modes::from_letters(flags),
                key: key.map(str::to_owned),
                limit: None,
            };
            assert_eq!(modes.shown_outside(), shown, "{flags} {key:?}");
        }
    }

    #[test]
    fn masks_are_completed() {
        for (mask, full) in [
            ("bob", "bob!*@*"),
            ("*!s7@*", "*!s7@*"),
            ("s7@x", "*!s7@x"),
            ("bob!", "bob!*@*"),
        ] {
            assert_eq!(Mask::parse(mask).unwrap().as_str(), full);
        }
        for (mask, nick) in [
            ("bob", Some("bob")),
            ("bob!s7@*", Some("bob")),
            ("b?b", None),
            ("*!s7@*", None),
            ("s7@x", None),
        ] {
            assert_eq!(
                Mask::parse(mask)
                    .unwrap()
                    .nick()
                    .map(|nick| nick.to_string())
                    .as_deref(),
                nick
            );
        }
    }
}
