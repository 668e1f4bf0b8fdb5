//! Numbers as people and programs write them.

/// Parses a whole number: decimal digits, with an optional minus. Rust's own parser also accepts a
/// plus.
pub fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_digits_with_an_optional_minus() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("--7", None),
            ("+7", None),
            (" 7", None),
            ("7 ", None),
            ("7.0", None),
            ("1e3", None),
            ("0x7", None),
            ("1_000", None),
            ("٧", None),
            ("７", None),
        ] {
            assert_eq!(whole_number(text), number, "{text:?}");
        }
    }
}
