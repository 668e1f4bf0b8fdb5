//! Channel modes: the flags `n t m i s H`, and `k` and `l` with a value.

use std::fmt::Write;

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
    /// `m`: only ops and voiced members may speak.
    Moderated,
    /// `n`: only members may speak.
    NoExternal,
    /// `s`: the channel is hidden from sessions that are not on it.
    Secret,
    /// `t`: only ops may set the topic.
    TopicLocked,
    /// `H`: members may also read messages from before they joined, as far as the flag was set.
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

    /// The flag of a letter.
    pub fn of(letter: char) -> Option<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_modes_decide_what_outsiders_see() {
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
}
