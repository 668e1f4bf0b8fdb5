//! The names of clients and apps, which people see. Nothing is looked up by them.

use super::{invalid::Invalid, limits::CLIENT_NAME_LIMIT, text};

/// Checks the name of a client or an app, and returns it in NFC and without spaces around it. The
/// name may be empty. It has no invisible characters and none that move or disguise their
/// neighbours. Fails with [`Invalid::TooLong`] or [`Invalid::Malformed`].
pub fn checked_name(given: &str) -> Result<String, Invalid> {
    let name = text::nfc(given);
    let name = name.trim_matches(' ');
    if name.chars().count() > CLIENT_NAME_LIMIT {
        return Err(Invalid::TooLong {
            what: "the name",
            limit: CLIENT_NAME_LIMIT,
            unit: "characters",
        });
    }
    if name.contains(text::shows_nothing) || text::begins_with_mark(name) {
        let rules = "a name must not contain control, format or other invisible characters, or \
                     separators other than the plain space, and must not begin with a combining \
                     mark";
        return Err(Invalid::malformed(rules));
    }
    Ok(name.to_owned())
}

/// The same as [`checked_name`], but the name may not be empty.
pub fn required_name(given: &str) -> Result<String, Invalid> {
    let name = checked_name(given)?;
    if name.is_empty() {
        Err(Invalid::malformed("the name must not be empty"))
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn a_display_name_hides_and_moves_nothing() {
        for (given, name) in [
            ("", ""),
            ("  my phone ", "my phone"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{2764}\u{fe0f} phone", "\u{2764}\u{fe0f} phone"),
            ("🦀", "🦀"),
        ] {
            assert_eq!(checked_name(given), Ok(name.into()));
        }
        for given in [
            "\t",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{2028}b",
            "a\u{a0}b",
            "\u{3164}",
            "\u{301}a",
            "\u{2800}",
        ] {
            assert_eq!(
                Error::from(checked_name(given).unwrap_err()).code,
                Code::MalformedRequest,
                "{given:?}"
            );
        }
        assert_eq!(checked_name(&"é".repeat(64)).unwrap().chars().count(), 64);
        assert_eq!(
            Error::from(checked_name(&"é".repeat(65)).unwrap_err()).code,
            Code::InputTooLong
        );
        assert_eq!(
            Error::from(required_name(" ").unwrap_err()).code,
            Code::MalformedRequest
        );
    }
}
