//! The masks of bans and of SILENCE.

use super::glob::Candidate;
use crate::{
    error::{Error, Result},
    model::Nick,
};

/// The most bytes of a mask, as it is given.
const MAX_MASK_BYTES: usize = 64;

/// The mask of a ban or of SILENCE: `nick!user@host` with `*` and `?`. The user is `s` and the
/// session's id. The host is the server's name for everybody, because addresses are never shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask(String);

impl Mask {
    /// Parses a mask and completes missing parts with `*`. Fails with `malformed_request` unless it
    /// has 1 to 64 bytes without space or comma.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > MAX_MASK_BYTES || text.contains([' ', ',']) {
            return Err(Error::malformed(
                "a mask must have 1 to 64 bytes, without spaces or commas",
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
