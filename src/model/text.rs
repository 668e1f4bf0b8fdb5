//! Characters: which of them are visible, and the forms in which texts are compared. The rules are
//! Unicode's (UAX #15, UAX #44).

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup},
};

/// The text in Normalization Form C. Texts that are canonically equivalent, and therefore look the
/// same, become equal.
pub fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// The text in a form that ignores case, width and other compatibility differences.
pub fn loosely(text: &str) -> String {
    let compatible = ComposingNormalizerBorrowed::new_nfkc();
    compatible
        .normalize(&compatible.normalize(text).to_lowercase())
        .into_owned()
}

/// The text in the form in which passwords are compared (RFC 8265 §4.2, OpaqueString). Every space
/// becomes the plain space, and the text is in NFC. Returns `None` if the text has controls,
/// noncharacters, private-use characters, or hidden characters other than spaces and joiners. Some
/// scripts need joiners. Characters that are newer than the tables, and variation selectors, are
/// accepted, because emoji have both.
pub fn opaque(text: &str) -> Option<String> {
    let plain = |c: char| match category(c) {
        GeneralCategory::SpaceSeparator => Some(' '),
        GeneralCategory::PrivateUse => None,
        GeneralCategory::Unassigned if is_noncharacter(c) => None,
        _ if is_hidden(c) && !is_joiner(c) => None,
        _ => Some(c),
    };
    let text = text.chars().map(plain).collect::<Option<String>>()?;
    Some(nfc(&text).into_owned())
}

/// The forms by which names that look alike are found, whatever their ASCII case: the folded UTS 39
/// skeleton of the name, and that of the folded name. Both are needed, because a skeleton maps `I`
/// to `l` and leaves `i` as it is. Two names look alike if they share either form.
pub fn skeletons(name: &str) -> [String; 2] {
    let of = |name: &str| {
        unicode_security::skeleton(name)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    [of(name), of(&name.to_ascii_lowercase())]
}

/// Whether a character is invisible, or moves or hides its neighbours. These are control and format
/// characters, separators except the plain space, and others that Unicode lets a renderer ignore.
/// Variation selectors do not count: they choose how the character before them looks.
pub fn is_hidden(c: char) -> bool {
    let hidden = GeneralCategoryGroup::Control
        .union(GeneralCategoryGroup::Format)
        .union(GeneralCategoryGroup::Separator);
    c != ' ' && (hidden.contains(category(c)) || is_ignorable(c) && !is_variation_selector(c))
}

/// The Braille pattern without dots. It is a symbol that looks like a space.
const BLANK_BRAILLE: char = '\u{2800}';

/// Whether a reader would see nothing of the text.
pub fn is_blank(text: &str) -> bool {
    text.chars()
        .all(|c| c == ' ' || shows_nothing(c) || is_variation_selector(c))
}

/// Whether a character may not be in a name, because it is hidden or looks like a space.
pub fn shows_nothing(c: char) -> bool {
    is_hidden(c) || c == BLANK_BRAILLE
}

/// The text in a form that is safe to print on a terminal. Hidden characters, which could move the
/// cursor or turn the reading direction, are written as `\u{1b}`.
pub fn with_hidden_escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| {
        if is_hidden(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// Whether the text begins with a combining mark, which would join the text before it.
pub fn begins_with_mark(text: &str) -> bool {
    text.starts_with(|c| GeneralCategoryGroup::Mark.contains(category(c)))
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether a character joins its neighbours without being visible (RFC 8264 §9.8).
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    code & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&code)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_are_invisible_or_move_others_are_hidden() {
        let hidden = [
            '\0',
            '\t',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1680}',
            '\u{180e}',
            '\u{2003}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{3000}',
            '\u{3164}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0020}',
        ];
        for c in hidden {
            assert!(is_hidden(c), "{c:?}");
            assert!(is_blank(&format!(" {c}\u{fe0f}\u{2800}")), "{c:?}");
        }
        for c in [
            ' ', 'a', 'é', '語', '\u{301}', '🦀', '\u{2764}', '\u{fe0f}', '-', '\u{2010}',
        ] {
            assert!(!is_hidden(c), "{c:?}");
        }
        assert!(
            is_blank("")
                && is_blank("\u{fe0f}")
                && !is_blank("\u{2764}\u{fe0f}")
                && !is_blank("\u{200b}a")
        );
    }

    #[test]
    fn hidden_characters_are_escaped_for_a_terminal_and_others_are_not() {
        assert_eq!(
            with_hidden_escaped("a\u{1b}[2J\u{202e}b\n"),
            "a\\u{1b}[2J\\u{202e}b\\u{a}"
        );
        assert_eq!(with_hidden_escaped("café 🦀 \\"), "café 🦀 \\");
    }

    #[test]
    fn an_opaque_text_is_what_the_rfc_says() {
        // RFC 8265 §4.3, and cases beyond its tables.
        for (given, kept) in [
            (
                "correct horse battery staple",
                "correct horse battery staple",
            ),
            (
                "Correct Horse Battery Staple",
                "Correct Horse Battery Staple",
            ),
            ("πßå", "πßå"),
            ("Jack of \u{2666}s", "Jack of \u{2666}s"),
            ("foo\u{1680}bar", "foo bar"),
            ("a\u{3000}b\u{a0}c", "a b c"),
            ("\u{1f79}", "\u{3cc}"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("🦀\u{1fae8}", "🦀\u{1fae8}"),
        ] {
            assert_eq!(opaque(given).as_deref(), Some(kept));
            assert_eq!(
                opaque(kept).as_deref(),
                Some(kept),
                "the kept form is its own form"
            );
        }
        for given in [
            "my cat is a \tby",
            "\0",
            "\u{85}",
            "\u{ad}",
            "\u{2028}",
            "\u{feff}",
            "\u{e000}",
            "\u{fffe}",
            "\u{3164}",
        ] {
            assert_eq!(opaque(given), None, "{given:?}");
        }
    }

    #[test]
    fn equivalent_texts_have_one_form() {
        assert_eq!(nfc("cafe\u{301}"), "caf\u{e9}");
        assert_eq!(loosely("ＰａＳＳ①"), "pass1");
        assert_eq!(loosely("CAFE\u{301}"), loosely("café"));
        assert!(
            begins_with_mark("\u{301}a") && !begins_with_mark("a\u{301}") && !begins_with_mark("")
        );
    }

    #[test]
    fn look_alikes_share_a_skeleton() {
        let alike = |one: &str, other: &str| {
            skeletons(one)
                .iter()
                .any(|skeleton| skeletons(other).contains(skeleton))
        };
        for (one, other) in [
            // Cyrillic, Greek, full width, a mathematical letter, a Roman numeral.
            ("#rust", "#ruѕt"),
            ("#Rust", "#rυst"),
            ("#RUST", "#ｒｕｓｔ"),
            ("#rust", "#𝗋ust"),
            ("#list", "#ⅼist"),
            ("#LIST", "#LІST"),
            ("#infoé", "#INFОé"),
            ("#café", "#cafe\u{301}"),
            ("#c", "#c\u{fe0f}"),
            ("#日本語", "#⽇本語"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("#rust", "#dust"),
            ("#café", "#cafe"),
            ("#日本", "#日本語"),
            ("#ö", "#o"),
        ] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }
}
