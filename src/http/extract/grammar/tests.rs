//! Each grammar as a table of valid texts, some of them unusual, and of invalid texts.

use super::*;

fn headers(name: HeaderName, lines: &[&[u8]]) -> HeaderMap {
    lines
        .iter()
        .map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap()))
        .collect()
}

#[test]
fn white_space_is_sp_and_htab_alone() {
    assert_eq!(trim(b" \t a\tb \t"), b"a\tb");
    assert_eq!(trim(b" \t "), b"");
    for other in [
        "\u{a0}x",
        "\u{85}x",
        "\u{2000}x",
        "\u{3000}x",
        "\u{b}x",
        "\u{c}x",
        "\rx",
        "\nx",
    ] {
        assert_eq!(trim(other.as_bytes()), other.as_bytes());
    }
}

#[test]
fn a_media_type_has_parameters_quoted_or_not() {
    let read = |text: &str| {
        MediaType::parse(text.as_bytes()).map(
            |MediaType {
                 essence,
                 parameters,
             }| {
                let parameters = parameters
                    .iter()
                    .map(|(name, value)| format!(";{name}={}", String::from_utf8_lossy(value)));
                essence + &parameters.collect::<String>()
            },
        )
    };
    for (text, expected) in [
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        (" application/json\t", "application/json"),
        (
            "application/json;charset=utf-8",
            "application/json;charset=utf-8",
        ),
        (
            "application/json ;\tCharset=UTF-8",
            "application/json;charset=UTF-8",
        ),
        (
            r#"application/json; charset="utf-8""#,
            "application/json;charset=utf-8",
        ),
        (
            r#"application/json; x="a;b, \"c\\""#,
            r#"application/json;x=a;b, "c\"#,
        ),
        (r#"application/json; x="""#, "application/json;x="),
        ("application/json; x=\"é\"", "application/json;x=é"),
        ("application/json;", "application/json"),
        ("application/json; ; x=y;;", "application/json;x=y"),
        ("a.b+c/d-e_f", "a.b+c/d-e_f"),
    ] {
        assert_eq!(read(text).as_deref(), Some(expected), "{text}");
    }
    for bad in [
        "",
        "json",
        "/json",
        "application/",
        "application/json/x",
        "application /json",
        "application/ json",
        "application/json charset=utf-8",
        "application/json, text/plain",
        "application/json; charset",
        "application/json; charset=",
        "application/json; =utf-8",
        "application/json; charset =utf-8",
        "application/json; charset= utf-8",
        "application/json; charset=\"utf-8",
        "application/json; charset=\"utf-8\"x",
        "application/json; charset='utf-8' x",
        "application/json; x=é",
        "application/json\u{a0}",
        "\"application/json\"",
        "\u{2000}application/json",
    ] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn a_list_spans_several_lines_and_commas_in_quotes_do_not_separate() {
    let lines: &[&[u8]] = &[b"a, b ,,\tc", b"", br#"x;y="1,2\",3", d"#];
    let headers = headers(header::ACCEPT, lines);
    let found = list(&headers, &header::ACCEPT)
        .map(|e| std::str::from_utf8(e).unwrap())
        .collect::<Vec<_>>();
    assert_eq!(found, ["a", "b", "c", r#"x;y="1,2\",3""#, "d"]);
}

#[test]
fn accept_lists_types_with_weights() {
    let asks = |lines: &[&[u8]]| accepts(&headers(header::ACCEPT, lines), "text/html");
    for html in [
        "text/html",
        "TEXT/HTML",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "application/json, text/html;q=0.1",
        "text/html;level=1;q=1.000",
        "text/html ; q=0.001",
        "text/html;charset=\"a,b\"",
    ] {
        assert!(asks(&[html.as_bytes()]), "{html}");
    }
    assert!(asks(&[b"*/*", b"text/html"]));
    for other in [
        "",
        "*/*",
        "text/*",
        "application/json",
        "text/html;q=0",
        "text/html;Q=0.000",
        "text/html;q=x",
        "text/html;q=2",
        "text/html;q=",
        "text/html;q=0.0001",
        "text/htmlx",
        "text",
        "\"text/html\"",
    ] {
        assert!(!asks(&[other.as_bytes()]), "{other}");
    }
}

#[test]
fn a_coding_is_accepted_by_its_name_or_by_a_star() {
    let takes = |lines: &[&str]| {
        let lines = lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>();
        takes_coding(
            &headers(header::ACCEPT_ENCODING, &lines),
            &["gzip", "x-gzip"],
        )
    };
    for lines in [
        &["gzip"][..],
        &["br, GZIP"],
        &["br", "gzip;q=0.1"],
        &["*"],
        &["deflate,\tgzip ; q=1.000"],
        &["x-gzip"],
        &["gzip;q=0", "x-gzip"],
        &["*;q=0, gzip"],
    ] {
        assert!(takes(lines), "{lines:?}");
    }
    for lines in [
        &[][..],
        &[""],
        &["br"],
        &["identity"],
        &["gzip;q=0"],
        &["gzip;q=0.000, *"],
        &["gzipped"],
        &["*;q=0"],
        &["gzip;q=x"],
        &["gzip;q=1.001"],
        &["gzip q=1"],
        &["\"gzip\""],
        &["gzip\u{a0}"],
    ] {
        assert!(!takes(lines), "{lines:?}");
    }
}

#[test]
fn an_entity_tag_is_found_among_weak_and_strong_ones() {
    let known = |line: &str| {
        none_match(
            &headers(header::IF_NONE_MATCH, &[line.as_bytes()]),
            "\"abc\"",
        )
    };
    for line in [
        "\"abc\"",
        "W/\"abc\"",
        "\"x\", \"abc\"",
        "\"x,y\",W/\"abc\" ,",
        "\"\\\",\"abc\"",
        "*",
    ] {
        assert!(known(line), "{line}");
    }
    for line in [
        "",
        "abc",
        "\"ABC\"",
        "w/\"abc\"",
        "\"x,\"abc\"\"",
        "\"abcd\"",
        "'abc'",
        "\u{a0}\"abc\"",
    ] {
        assert!(!known(line), "{line}");
    }
}

#[test]
fn authorization_is_a_scheme_and_a_token() {
    let read = |text: &str| {
        let headers = headers(header::AUTHORIZATION, &[text.as_bytes()]);
        let Authorization { scheme, token68 } = Authorization::of(&headers).unwrap().unwrap();
        (scheme.to_owned(), token68.map(str::to_owned))
    };
    for (text, scheme, token) in [
        ("Bearer abc", "Bearer", Some("abc")),
        ("bEARER   a-._~+/9==", "bEARER", Some("a-._~+/9==")),
        ("Bearer", "Bearer", None),
        ("Bearer ", "Bearer", None),
        ("Bearer =", "Bearer", None),
        ("Bearer a=b", "Bearer", None),
        ("Bearer x y", "Bearer", None),
        ("Bearer\tabc", "Bearer", None),
        ("Bearer \tabc", "Bearer", None),
        ("Bearer \"abc\"", "Bearer", None),
        ("Bearer abc,", "Bearer", None),
        ("Bearer é", "Bearer", None),
        ("Bearer,Basic abc", "Bearer", None),
        ("Digest username=\"x\"", "Digest", None),
        ("", "", None),
        ("\"Bearer\" abc", "", None),
        ("\u{a0}Bearer abc", "", None),
    ] {
        assert_eq!(
            read(text),
            (scheme.into(), token.map(str::to_owned)),
            "{text}"
        );
    }
    assert_eq!(Authorization::of(&HeaderMap::new()).unwrap(), None);
    assert!(
        Authorization::of(&headers(header::AUTHORIZATION, &[b"Bearer a", b"Basic b"])).is_err()
    );
}

#[test]
fn a_quoted_text_is_read_back() {
    for text in ["", "rejoin", r#"a "b" \c\"#, "a,b;c=d"] {
        let quoted = quote(text);
        let mut reader = Reader(quoted.as_bytes());
        assert_eq!(
            (reader.quoted(), reader.0),
            (Some(text.as_bytes().to_vec()), &b""[..]),
            "{quoted}"
        );
    }
    assert_eq!(quote("a\r\nb\u{e9}"), "\"ab\"");
}

#[test]
fn a_form_is_read_as_in_the_standard_except_that_invalid_utf_8_is_none() {
    let text = |text: &str| Some(text.to_owned());
    for (encoded, pairs) in [
        (&b""[..], vec![]),
        (b"&&", vec![]),
        (
            b"a=1&b=2&a=3",
            vec![
                (text("a"), text("1")),
                (text("b"), text("2")),
                (text("a"), text("3")),
            ],
        ),
        (
            b"a&=b&=&c==d",
            vec![
                (text("a"), text("")),
                (text(""), text("b")),
                (text(""), text("")),
                (text("c"), text("=d")),
            ],
        ),
        (b"a+b=c+%2B%20d", vec![(text("a b"), text("c + d"))]),
        (
            b"a=%&b=%4&c=%zz%C3%a9&d=%%41",
            vec![
                (text("a"), text("%")),
                (text("b"), text("%4")),
                (text("c"), text("%zz\u{e9}")),
                (text("d"), text("%A")),
            ],
        ),
        (
            "a=\u{e9}&b=\u{fffd}&c=%EF%BF%BD".as_bytes(),
            vec![
                (text("a"), text("\u{e9}")),
                (text("b"), text("\u{fffd}")),
                (text("c"), text("\u{fffd}")),
            ],
        ),
        (
            b"a=%ff&b=\xff&%ff=c&d=%C3&e=%ED%A0%80",
            vec![
                (text("a"), None),
                (text("b"), None),
                (None, text("c")),
                (text("d"), None),
                (text("e"), None),
            ],
        ),
    ] {
        let read = form_pairs(encoded).collect::<Vec<_>>();
        assert_eq!(read, pairs, "{}", encoded.escape_ascii());
        let whole = pairs
            .iter()
            .all(|(name, value)| name.is_some() && value.is_some());
        assert_eq!(
            require_utf_8(encoded).is_ok(),
            whole,
            "{}",
            encoded.escape_ascii()
        );
        // Otherwise the standard's parser gives the same result.
        if whole {
            let standard =
                form_urlencoded::parse(encoded).map(|(name, value)| (text(&name), text(&value)));
            assert_eq!(standard.collect::<Vec<_>>(), read);
        }
    }
}
