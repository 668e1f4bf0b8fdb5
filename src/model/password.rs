//! Passwords: the form in which they are kept, and which of them a session may have.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{invalid::Invalid, text};

/// The 3,000 most common passwords of at least 8 characters, in lower case (from the frequency
/// lists of zxcvbn).
const COMMON_PASSWORDS: &str = include_str!("../common_passwords.txt");
/// The allowed number of characters of a password.
pub const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// A password in the clear. It has no `Display`, its `Debug` output hides it, and its memory is
/// zeroed when it is dropped.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// A password of any length, as a client presented it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The password in the form in which it is kept, which is the same for every keyboard
    /// ([`text::opaque`]). `None` if it has characters that no password may have.
    pub fn prepared(&self) -> Option<Self> {
        text::opaque(self.reveal()).map(Self::new)
    }

    /// The password in the form in which it is kept, if a session may have it. `names` are the
    /// words that an attacker would try first: the session's nick and the server's name. Fails with
    /// [`Invalid::WeakPassword`] or [`Invalid::Malformed`].
    pub fn accepted(&self, names: &[&str]) -> Result<Self, Invalid> {
        let unclean = "a password must not contain control characters or invisible characters";
        let prepared = self.prepared().ok_or_else(|| Invalid::malformed(unclean))?;
        let weak = |detail: String| Err(Invalid::WeakPassword(detail));
        if !PASSWORD_LENGTH.contains(&prepared.reveal().chars().count()) {
            let (least, most) = (PASSWORD_LENGTH.start(), PASSWORD_LENGTH.end());
            return weak(format!("a password must have {least} to {most} characters"));
        }
        if text::is_blank(prepared.reveal()) {
            return weak("a password must not consist of blanks only".into());
        }
        let loosely = text::loosely(prepared.reveal());
        if COMMON_PASSWORDS.lines().any(|common| common == loosely) {
            return weak(
                "this password is one of the 3,000 most common passwords; choose another".into(),
            );
        }
        let is_name = |name: &&&str| {
            let rest = loosely.strip_prefix(&text::loosely(name));
            rest.is_some_and(|rest| rest.chars().all(char::is_numeric))
        };
        if names.iter().any(|name| is_name(&name)) {
            return weak(
                "a password must not be your nick or the server's name, alone or followed by digits"
                    .into(),
            );
        }
        Ok(prepared)
    }

    /// The password in the clear.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The stored form of a password: a PHC string of Argon2id. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedPassword(String);

impl HashedPassword {
    /// A hash from the store.
    pub fn from_phc(text: String) -> Self {
        Self(text)
    }

    /// The hash as the store keeps it.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedPassword(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    fn accepted(text: &str) -> Result<String, Code> {
        let accepted =
            Password::new(text).accepted(&["alice42", "rejoin.server", "chat.example.org"]);
        accepted
            .map(|password| password.reveal().to_owned())
            .map_err(|invalid| Error::from(invalid).code)
    }

    #[test]
    fn a_password_hides_itself_and_has_8_to_256_characters() {
        assert_eq!(
            format!("{:?}", Password::new("hunter2hunter2")),
            "Password(…)"
        );
        for good in [
            "1234567x",
            "пароль-и",
            "🦀🦀🦀🦀🦀🦀🦀🦀",
            &"語".repeat(256),
            " a  b  c ",
            "\u{2764}\u{fe0f}1234567",
        ] {
            assert_eq!(accepted(good), Ok(good.into()));
        }
        // Eleven as they are typed, and seven as they are kept.
        for weak in [
            "",
            "1234567",
            &"e\u{301}".repeat(7),
            &"x".repeat(257),
            "          ",
            "\u{2800}\u{2800} \u{2800} \u{2800} \u{2800}",
        ] {
            assert_eq!(accepted(weak), Err(Code::WeakPassword), "{weak:?}");
        }
    }

    #[test]
    fn a_password_has_one_form_for_every_keyboard() {
        assert_eq!(
            accepted("cafe\u{301} au lait"),
            accepted("caf\u{e9} au\u{a0}lait")
        );
        assert_eq!(
            accepted("Correct Horse"),
            Ok("Correct Horse".into()),
            "case counts"
        );
        for unclean in [
            "my cat is a \tby",
            "correct\nhorse",
            "correct\u{7f}horse",
            "correct\u{85}horse",
            "correct\u{200b}horse",
            "correct\u{202e}horse",
        ] {
            assert_eq!(
                accepted(unclean),
                Err(Code::MalformedRequest),
                "{unclean:?}"
            );
        }
    }

    #[test]
    fn passwords_that_an_attacker_tries_first_are_weak() {
        assert_eq!(COMMON_PASSWORDS.lines().count(), 3000);
        assert!(
            COMMON_PASSWORDS
                .lines()
                .all(|common| common == text::loosely(common))
        );
        for weak in [
            "password",
            "PassWord1",
            "qwertyuiop",
            "ｐａｓｓｗｏｒｄ",
            "ｐassword１",
            "ALICE42０",
            "alice421",
            "Alice42１９９９",
            "alice42٣٣",
            "rejoin.server",
            "Rejoin.Server2026",
            "chat.example.org1",
        ] {
            assert_eq!(accepted(weak), Err(Code::WeakPassword), "{weak:?}");
        }
        for good in [
            "alice42!!",
            "my alice42",
            "alice42-1999",
            "alice4 1999",
            "rejoin.servers",
        ] {
            assert_eq!(accepted(good), Ok(good.into()));
        }
    }
}
