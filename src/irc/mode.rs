//! Channel modes: the flags `n t m i s H`, `k` and `l` with a value, `o v b` with a nick or mask.

use std::fmt::Write;

use super::glob::Candidate;
use crate::{
    error::{Code, Error, Result},
    model::{Nick, whole_number},
};

/// The most bytes of a channel's key and of a mask.
const VALUE_LIMIT: usize = 64;

/// The modes of a channel. A new channel is `+nt`, as on most networks.
#[derive(Clone, Debug, PartialEq)]
pub struct Modes {
    /// The flags that are set, in the order `i m n s t H`.
    pub flags: Vec<Flag>,
    /// `k`: the key that JOIN needs.
    pub key: Option<String>,
    /// `l`: the most members.
    pub limit: Option<u32>,
}

/// A mode without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// `i`: only invited sessions may join.
    InviteOnly,
    /// `m`: only operators and voiced members may speak.
    Moderated,
    /// `n`: only members may speak.
    NoExternal,
    /// `s`: the channel is hidden from sessions that are not on it.
    Secret,
    /// `t`: only operators may set the topic.
    TopicLocked,
    /// `H`: members may also read what was said before they joined, while the flag was set.
    History,
}

/// How much of a channel a session may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Lists leave the channel out.
    Nothing,
    /// The name only: no topic, no members, no number of members.
    Name,
    /// The name, the topic and the members.
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

    /// The letter of the mode.
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
    /// The modes of a new channel: `+nt`.
    pub fn new() -> Self {
        Self {
            flags: vec![Flag::NoExternal, Flag::TopicLocked],
            key: None,
            limit: None,
        }
    }

    /// Whether the flag is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Sets or clears a flag. Returns whether that changed anything.
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

    /// How much of the channel sessions outside it may see. This is the one rule. For a session
    /// that may be a member, ask `Visibility::shown`, which uses this rule.
    pub fn shown_outside(&self) -> Shown {
        if self.has(Flag::Secret) {
            Shown::Nothing
        } else if self.has(Flag::InviteOnly) || self.key.is_some() {
            Shown::Name
        } else {
            Shown::Everything
        }
    }

    /// The letters of the flags, as the store keeps them.
    pub fn letters(&self) -> String {
        self.flags.iter().map(|f| f.letter()).collect()
    }

    /// The flags of the letters that the store keeps. Unknown letters are ignored.
    pub fn from_letters(letters: &str) -> Vec<Flag> {
        letters.chars().filter_map(Flag::of).collect()
    }

    /// The modes as MODE shows them: `+klnt secret 50`. Only members see the key.
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
    pub fn asks(&self) -> bool {
        matches!(self, Self::ListBans)
    }

    /// Whether this only takes something away.
    pub fn ends(&self) -> bool {
        match self {
            Self::Flag(_, on) | Self::Op(_, on) | Self::Voice(_, on) | Self::Ban(_, on) => !on,
            Self::Key(key) => key.is_none(),
            Self::Limit(limit) => limit.is_none(),
            Self::ListBans => false,
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
                    format!("mode {letter} needs a parameter"),
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

/// The mask of a ban or of SILENCE: `nick!user@host` with `*` and `?`. The user is `s` and the
/// session's id. The host is the server's name for everybody, because addresses are never shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(String);

impl Mask {
    /// Parses a mask and completes missing parts with `*`. Fails with `malformed_request` unless it
    /// has 1 to 64 bytes without space or comma.
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

    /// A mask from the store, which was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The complete mask, `nick!user@host`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nick that the mask is for. `None` if its nick part has a wildcard.
    pub fn nick(&self) -> Option<Nick> {
        self.0
            .split_once('!')
            .and_then(|(nick, _)| Nick::parse(nick).ok())
    }

    /// The form in which masks are compared: ASCII lower case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether the mask matches a sender, given as `nick!user@host`.
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

    /// At this size, looking ahead for each letter would take minutes.
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
