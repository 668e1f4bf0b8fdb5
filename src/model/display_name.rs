//! Names that people see and nothing is found by: of clients and of apps.

use super::{invalid::Invalid, limits::CLIENT_NAME_LIMIT, text};

/// A name of a client or an app, as it is shown to people: in NFC, trimmed, within its limit,
/// without invisible characters and such as move or disguise what stands beside them. It may be
/// empty, and is not blank otherwise.
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
        let rules = "a name has no control, format or other invisible characters, no separators but the plain space, and \
                     begins with no combining mark";
        return Err(Invalid::malformed(rules));
    }
    Ok(name.to_owned())
}

/// The same, where there must be one.
pub fn required_name(given: &str) -> Result<String, Invalid> {
    let name = checked_name(given)?;
    if name.is_empty() {
        Err(Invalid::malformed("a name is needed"))
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn a_shown_name_neither_hides_nor_moves_anything() {
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
