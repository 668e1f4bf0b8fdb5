use super::*;

fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, value.as_bytes());
    }
    request.body(()).unwrap()
}

fn passes(own_origins: &OwnOrigins, request: &Request<()>) -> bool {
    refuse_other_sites(own_origins, RouteKind::of(request.uri()), request).is_ok()
}

#[test]
fn fetch_metadata_or_else_the_origin_decides_whether_an_unsafe_request_is_ours() {
    let own_origins = OwnOrigins::of(&[], "127.0.0.1:8080");
    let posted = |headers: &[(&str, &str)]| {
        let passed = [
            "/api/v1/messages",
            "/login",
            "/logout",
            "/device",
            "/auth/consent",
            "/auth/device",
            "/nowhere",
        ]
        .map(|path| passes(&own_origins, &request(Method::POST, path, headers)));
        assert_eq!(passed, [passed[0]; 7], "{headers:?}");
        passed[0]
    };
    assert!(posted(&[]));
    for good in ["same-origin", "none"] {
        assert!(posted(&[("sec-fetch-site", good)]), "{good}");
        assert!(
            posted(&[("sec-fetch-site", good), ("origin", "https://evil.example")]),
            "Fetch Metadata decides"
        );
    }
    for bad in [
        "cross-site",
        "same-site",
        "",
        "nonsense",
        "Same-Origin",
        "NONE",
        "\"same-origin\"",
        "same-origin,none",
        "same-origin;x",
        "same-origin\u{a0}",
        "(same-origin)",
    ] {
        assert!(!posted(&[("sec-fetch-site", bad)]), "{bad:?}");
        assert!(
            !posted(&[("sec-fetch-site", bad), ("origin", "http://localhost:8080")]),
            "{bad:?}"
        );
    }
    assert!(
        !posted(&[("sec-fetch-site", "none"), ("sec-fetch-site", "none")]),
        "twice"
    );
    for good in [
        "http://localhost:8080",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "HTTP://LOCALHOST:8080",
    ] {
        assert!(posted(&[("origin", good)]), "{good}");
    }
    for bad in [
        "",
        "null",
        "NULL",
        "https://localhost:8080",
        "http://localhost:8081",
        "http://localhost",
        "localhost:8080",
        "http://localhost:8080/",
        "\"http://localhost:8080\"",
        "http://localhost:8080, http://localhost:8080",
        "http://localhost:8080 http://localhost:8080",
        "http://a@localhost:8080",
        "http://evil.example:8080",
        "http://localhost:8080\u{a0}",
        "[http://localhost:8080]",
        "http://localhost.:8080",
    ] {
        assert!(!posted(&[("origin", bad)]), "{bad:?}");
    }
    assert!(
        !posted(&[
            ("origin", "http://localhost:8080"),
            ("origin", "http://localhost:8080")
        ]),
        "twice"
    );
    // The Referer does not count here (RFC 9110 §10.1.3), because an attacker's page can leave it
    // out.
    assert!(posted(&[("referer", "https://evil.example/")]));
    assert!(!posted(&[
        ("referer", "http://localhost:8080/"),
        ("origin", "null")
    ]));
}

#[test]
fn other_sites_read_nothing_under_the_api_and_may_only_navigate_there() {
    let own_origins = OwnOrigins::of(&[], "127.0.0.1:8080");
    let got = |path: &str, headers: &[(&str, &str)]| {
        passes(&own_origins, &request(Method::GET, path, headers))
    };
    let elsewhere: [&[(&str, &str)]; 3] = [
        &[("sec-fetch-site", "cross-site")],
        &[
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-mode", "no-cors"),
            ("sec-fetch-dest", "image"),
        ],
        &[("origin", "https://evil.example")],
    ];
    for headers in elsewhere {
        assert!(
            !got("/api/v1/messages", headers) && !got("/api/v1/socket", headers),
            "{headers:?}"
        );
        assert!(
            got("/", headers) && got("/login", headers) && got("/healthz", headers),
            "{headers:?}"
        );
    }
    let led = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ];
    for dest in [&[][..], &[("sec-fetch-dest", "document")]] {
        assert!(
            got("/api/v1/messages", &[&led[..], dest].concat()),
            "{dest:?}"
        );
    }
    for dest in [
        "iframe",
        "frame",
        "object",
        "embed",
        "",
        "Document",
        "document;x",
    ] {
        assert!(
            !got(
                "/api/v1/messages",
                &[&led[..], &[("sec-fetch-dest", dest)]].concat()
            ),
            "{dest}"
        );
    }
    assert!(
        !passes(
            &own_origins,
            &request(Method::POST, "/api/v1/messages", &led)
        ),
        "a navigation by POST is unsafe"
    );
}

#[test]
fn endpoints_without_cookies_are_open_and_an_app_may_post_to_authorize() {
    let own_origins = OwnOrigins::of(&[], "127.0.0.1:8080");
    for headers in [
        [("sec-fetch-site", "cross-site")],
        [("origin", "https://evil.example")],
        [("origin", "null")],
    ] {
        for path in [
            "/auth/token",
            "/auth/revoke",
            "/auth/introspect",
            "/auth/userinfo",
            "/auth/authorize",
        ] {
            assert!(
                passes(&own_origins, &request(Method::POST, path, &headers)),
                "{path}"
            );
        }
        assert!(!passes(
            &own_origins,
            &request(Method::PUT, "/auth/authorize", &headers)
        ));
        assert!(!passes(
            &own_origins,
            &request(Method::POST, "/auth/token/", &headers)
        ));
    }
}

#[test]
fn a_request_that_a_page_of_another_origin_may_have_sent_acknowledges_nothing() {
    let (plain, secure) = (
        OwnOrigins::of(&[], "127.0.0.1:8080"),
        OwnOrigins::of(&["--public-url", "https://chat.example"], "127.0.0.1:8080"),
    );
    let is = |own_origins: &OwnOrigins, headers: &[(&str, &str)]| {
        !may_acknowledge(own_origins, request(Method::GET, "/", headers).headers())
    };
    let (mode, html) = (
        ("sec-fetch-mode", "navigate"),
        ("accept", "text/html,*/*;q=0.8"),
    );
    for own_origins in [&plain, &secure] {
        assert!(is(own_origins, &[mode]) && is(own_origins, &[mode, ("accept", "*/*")]));
        assert!(!is(own_origins, &[]) && !is(own_origins, &[("accept", "*/*")]));
        for other in [
            "cors",
            "same-origin",
            "no-cors",
            "websocket",
            "Navigate",
            "navigate;x",
            "",
        ] {
            assert!(
                !is(own_origins, &[("sec-fetch-mode", other), html]),
                "{other}"
            );
        }
    }
    assert!(is(&plain, &[html]) && !is(&secure, &[html]));
    // The Accept of each kind of element, in Chromium, Firefox and Safari.
    for element in [
        "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
        "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        "text/css,*/*;q=0.1",
        "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5",
        "image/*",
        "application/json;q=0, image/png",
    ] {
        assert!(
            is(&plain, &[("accept", element)]) && !is(&secure, &[("accept", element)]),
            "{element}"
        );
    }
    for program in [
        "*/*",
        "application/json",
        "application/json, text/plain, */*",
        "text/event-stream",
        "application/*;q=0.5, text/plain",
        "Application/JSON; charset=utf-8",
        "nonsense",
        "",
    ] {
        assert!(!is(&plain, &[("accept", program)]), "{program}");
    }
    // Pages in the Referer.
    for (own_origins, own) in [
        (&plain, "http://localhost:8080"),
        (&secure, "https://chat.example"),
    ] {
        for path in [
            "/",
            "",
            "?x=/y",
            "/#a",
            "/login?next=http://localhost:8081/",
        ] {
            assert!(
                !is(own_origins, &[("referer", &format!("{own}{path}"))]),
                "{own}{path}"
            );
        }
        for other in [
            "http://localhost:8081/",
            "https://evil.example/",
            "https://evil.example?http://localhost:8080/",
        ] {
            assert!(is(own_origins, &[("referer", other)]), "{other}");
            assert!(
                !is(
                    own_origins,
                    &[("referer", other), ("sec-fetch-mode", "cors")]
                ),
                "Fetch Metadata decides"
            );
        }
        for odd in [
            "",
            "about:blank",
            "/",
            "localhost:8080",
            "http://localhost:8080@evil.example/",
        ] {
            assert!(is(own_origins, &[("referer", odd)]), "{odd}");
        }
        let own = format!("{own}/");
        assert!(
            is(own_origins, &[("referer", &own), ("referer", &own)]),
            "twice"
        );
    }
}
