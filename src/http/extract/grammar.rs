//! Parsers for the grammars of HTTP's header fields (RFC 9110 §5.6). They read byte by byte: only
//! SP and HTAB are white space, only `"` is a quote, and nothing may be left over at the end.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::{Error, Result};

/// Trims SP and HTAB, and nothing else, at both ends (OWS, §5.6.3).
pub fn trim(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    let start = text.iter().position(|b| !blank(b)).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |last| last + 1);
    &text[start..end]
}

/// Whether a byte may stand in a token (§5.6.2).
fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The token with which a text begins.
pub fn leading_token(text: &[u8]) -> &str {
    Reader(text).token().unwrap_or_default()
}

/// A text as a quoted-string (§5.6.4), for a header of a response. Characters that it cannot
/// contain are left out.
pub fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}

/// The rest of the text, which is still to be read.
struct Reader<'t>(&'t [u8]);

impl<'t> Reader<'t> {
    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.0.first() == Some(&byte);
        self.0 = &self.0[usize::from(eaten)..];
        eaten
    }

    fn blanks(&mut self) -> usize {
        let before = self.0.len();
        while self.eat(b' ') || self.eat(b'\t') {}
        before - self.0.len()
    }

    fn token(&mut self) -> Option<&'t str> {
        let end = self
            .0
            .iter()
            .position(|b| !is_tchar(*b))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        std::str::from_utf8(token)
            .ok()
            .filter(|token| !token.is_empty())
    }

    /// Reads a quoted-string and unquotes it.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        if !self.eat(b'"') {
            return None;
        }
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let byte = match byte {
                b'"' => return Some(text),
                b'\\' => {
                    let (&escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    escaped
                }
                byte => byte,
            };
            // A control character is not allowed, escaped or not.
            text.push(Some(byte).filter(|b| *b == b'\t' || !b.is_ascii_control())?);
        }
    }

    /// `*( OWS ";" OWS [ parameter ] )`, up to the end (§5.6.6).
    fn parameters(mut self) -> Option<Vec<(String, Vec<u8>)>> {
        let mut parameters = Vec::new();
        loop {
            self.blanks();
            if self.0.is_empty() {
                return Some(parameters);
            }
            if !self.eat(b';') {
                return None;
            }
            self.blanks();
            // An empty parameter is allowed.
            let Some(name) = self.token() else { continue };
            if !self.eat(b'=') {
                return None;
            }
            let value = match self.0.first() {
                Some(b'"') => self.quoted()?,
                _ => self.token()?.into(),
            };
            parameters.push((name.to_ascii_lowercase(), value));
        }
    }
}

/// A media type or a media range (§8.3.1).
#[derive(Debug, PartialEq, Eq)]
pub struct MediaType {
    /// Type and subtype in lower case, such as `text/plain`.
    pub essence: String,
    /// The parameters in their order: the name in lower case, the value unquoted.
    pub parameters: Vec<(String, Vec<u8>)>,
}

impl MediaType {
    /// Reads a media type; `None` if it is not well-formed.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut reader = Reader(trim(text));
        let r#type = reader.token()?;
        let subtype = reader.eat(b'/').then(|| reader.token())??;
        let essence = format!("{type}/{subtype}").to_ascii_lowercase();
        reader.parameters().map(|parameters| Self {
            essence,
            parameters,
        })
    }

    /// The values of a parameter. `name` is in lower case.
    pub fn parameter(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.parameters
            .iter()
            .filter(move |(own, _)| own == name)
            .map(|(_, value)| value.as_slice())
    }
}

/// The elements of a list, from all lines of its header (§5.6.1), without empty ones. A comma in
/// quotes does not separate elements.
pub fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| elements(line.as_bytes()))
}

fn elements(line: &[u8]) -> Vec<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(|&byte| {
        let comma = byte == b',' && !quoted;
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
        comma
    });
    parts
        .map(trim)
        .filter(|element| !element.is_empty())
        .collect()
}

/// Whether Accept names a media type, with a weight above zero (§12.5.1).
pub fn accepts(headers: &HeaderMap, essence: &str) -> bool {
    let mut ranges = list(headers, &header::ACCEPT).filter_map(MediaType::parse);
    ranges.any(|range| range.essence == essence && is_wanted(&range.parameters))
}

/// Whether Accept names some media types, and none of these.
pub fn accepts_only_others(headers: &HeaderMap, essences: &[&str]) -> bool {
    let ranges = list(headers, &header::ACCEPT).filter_map(MediaType::parse);
    let mut named = ranges
        .filter(|range| range.essence != "*/*" && is_wanted(&range.parameters))
        .peekable();
    let fits = |range: MediaType| match range.essence.strip_suffix('*') {
        Some(prefix) => essences.iter().any(|essence| essence.starts_with(prefix)),
        None => essences.contains(&range.essence.as_str()),
    };
    named.peek().is_some() && !named.any(fits)
}

/// Whether Accept-Encoding accepts a content coding: by one of its names or, if none of them
/// appears, by `*` (§12.5.3).
pub fn takes_coding(headers: &HeaderMap, names: &[&str]) -> bool {
    let (mut named, mut any) = (None, None);
    for choice in list(headers, &header::ACCEPT_ENCODING) {
        let mut reader = Reader(choice);
        let Some((coding, parameters)) = reader.token().zip(reader.parameters()) else {
            continue;
        };
        if names.iter().any(|name| name.eq_ignore_ascii_case(coding)) {
            named = Some(is_wanted(&parameters));
        } else if coding == "*" {
            any = Some(is_wanted(&parameters));
        }
    }
    named.or(any).unwrap_or(false)
}

/// Whether these parameters give a weight above zero. Without one the weight is 1 (§12.4.2).
fn is_wanted(parameters: &[(String, Vec<u8>)]) -> bool {
    let above_nothing = |weight: &[u8]| match weight {
        [b'0', b'.', digits @ ..] if digits.len() <= 3 => {
            digits.iter().all(u8::is_ascii_digit) && digits.iter().any(|digit| *digit != b'0')
        }
        [b'1'] => true,
        [b'1', b'.', digits @ ..] if digits.len() <= 3 => digits.iter().all(|digit| *digit == b'0'),
        _ => false,
    };
    parameters
        .iter()
        .filter(|(name, _)| name == "q")
        .all(|(_, weight)| above_nothing(weight))
}

/// Whether If-None-Match is `*` or contains an entity tag, by weak comparison (§13.1.2).
pub fn none_match(headers: &HeaderMap, tag: &str) -> bool {
    let names = |line: &HeaderValue| {
        trim(line.as_bytes()) == b"*" || names_tag(line.as_bytes(), tag.as_bytes())
    };
    headers.get_all(header::IF_NONE_MATCH).iter().any(names)
}

/// Whether a list of weak or strong entity tags contains this one. A backslash escapes nothing in
/// an entity tag (§8.8.3).
fn names_tag(line: &[u8], tag: &[u8]) -> bool {
    let mut reader = Reader(line);
    loop {
        while reader.blanks() > 0 || reader.eat(b',') {}
        reader.0 = reader.0.strip_prefix(b"W/").unwrap_or(reader.0);
        let start = reader.0;
        let Some(end) = reader
            .eat(b'"')
            .then(|| reader.0.iter().position(|b| *b == b'"'))
            .flatten()
        else {
            return false;
        };
        if &start[..end + 2] == tag {
            return true;
        }
        reader.0 = &reader.0[end + 1..];
    }
}

/// The value of Authorization: a scheme, and the token68 after it, if there is one (§11.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorization<'h> {
    scheme: &'h str,
    token68: Option<&'h str>,
}

impl<'h> Authorization<'h> {
    /// The request's Authorization header, if there is one. Fails with `malformed_request` if there
    /// are several.
    pub fn of(headers: &'h HeaderMap) -> Result<Option<Self>> {
        let mut lines = headers.get_all(header::AUTHORIZATION).iter();
        let Some(line) = lines.next() else {
            return Ok(None);
        };
        if lines.next().is_some() {
            return Err(Error::malformed(
                "the request has more than one Authorization header",
            ));
        }
        Ok(Some(Self::parse(line.as_bytes())))
    }

    fn parse(text: &'h [u8]) -> Self {
        let mut reader = Reader(trim(text));
        let scheme = reader.token().unwrap_or_default();
        let parted = reader.0.iter().take_while(|byte| **byte == b' ').count();
        let token68 = token68(&reader.0[parted..]).filter(|_| parted > 0);
        Self { scheme, token68 }
    }

    /// The token68, if the header has this scheme, in any case (§11.1). The inner `None` stands for
    /// a malformed one.
    pub fn scheme(&self, name: &str) -> Option<Option<&'h str>> {
        self.scheme
            .eq_ignore_ascii_case(name)
            .then_some(self.token68)
    }
}

/// Whether a text is a `token68` (§11.2), which is also the `b64token` of RFC 6750.
pub fn token68(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    let letters = text.trim_end_matches('=');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    (!letters.is_empty() && letters.bytes().all(allowed)).then_some(text)
}

/// The names and values of a query or a form (application/x-www-form-urlencoded of the URL
/// standard). `None` stands for a text that is not UTF-8. The standard would read U+FFFD there, and
/// so something that was not sent.
pub fn form_pairs(encoded: &[u8]) -> impl Iterator<Item = (Option<String>, Option<String>)> {
    // `None` for a half that is not UTF-8.
    let decoded = |half: &[u8]| String::from_utf8(form_decoded(half)).ok();
    let pairs = encoded
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty());
    pairs.map(
        move |pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(end) => (decoded(&pair[..end]), decoded(&pair[end + 1..])),
            None => (decoded(pair), Some(String::new())),
        },
    )
}

/// Decodes `+` and percent-encoded bytes. A percent sign without two digits after it stands for
/// itself.
///
/// By hand, because `form_urlencoded::parse` gives text, in which U+FFFD stands for bytes that are not
/// UTF-8.
fn form_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        text.get(at)
            .and_then(|digit| char::from(*digit).to_digit(16))
    };
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = text.get(at) {
        let escaped = if byte == b'%' {
            digit(at + 1).zip(digit(at + 2))
        } else {
            None
        };
        bytes.push(match (byte, escaped) {
            (_, Some((high, low))) => (high * 16 + low) as u8,
            (b'+', _) => b' ',
            (byte, _) => byte,
        });
        at += if escaped.is_some() { 3 } else { 1 };
    }
    bytes
}

/// Refuses a query or a form with a text that is not UTF-8. Fails with `malformed_request`.
pub fn require_utf_8(encoded: &[u8]) -> Result<()> {
    // Most texts are plain ASCII.
    let plain = encoded.is_ascii() && !encoded.contains(&b'%');
    if plain || form_pairs(encoded).all(|(name, value)| name.is_some() && value.is_some()) {
        Ok(())
    } else {
        Err(not_utf_8())
    }
}

/// The error `malformed_request`: a query or a form has a text that is not UTF-8.
pub fn not_utf_8() -> Error {
    Error::malformed("a parameter is not UTF-8")
}

/// The value of a header that appears once and is visible ASCII.
pub fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests;
