//! How several texts are stored in one column: each text as it is, followed by a CR. The protocol
//! has no texts with a CR, so nothing needs an escape, and a text takes as many bytes on the disk
//! as its sender sent.

use crate::error::{Error, Result};

/// Ends each text in a column.
const END: char = '\r';

/// The column for these texts. Fails with `internal_error` if one of them contains a CR.
pub fn join<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<String> {
    let mut column = String::new();
    for text in texts {
        if text.contains(END) {
            return Err(Error::internal("a text with a CR cannot be stored"));
        }
        column.push_str(text);
        column.push(END);
    }
    Ok(column)
}

/// The texts in a column.
pub fn split(column: &str) -> impl Iterator<Item = &str> {
    column.split_terminator(END)
}

/// About how many bytes the texts of a column take as JSON, where a control character takes six.
pub fn rendered_length(column: &str) -> usize {
    let length = |byte: u8| match byte {
        b'\r' => 3,
        0..b' ' => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    column.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back_unchanged_and_take_one_byte_more_each() {
        for texts in [
            &[][..],
            &[""],
            &["", ""],
            &["#a"],
            &["#a", "hello\nworld \u{1}\"\\[]"],
            &["a", "", "b"],
        ] {
            let column = join(texts.iter().copied()).unwrap();
            assert_eq!(
                column.len(),
                texts.iter().map(|text| text.len() + 1).sum::<usize>()
            );
            assert_eq!(split(&column).collect::<Vec<_>>(), texts);
            assert!(
                rendered_length(&column).abs_diff(serde_json::to_string(texts).unwrap().len()) <= 6
            );
        }
        assert!(join(["a\rb"]).is_err());
    }
}
