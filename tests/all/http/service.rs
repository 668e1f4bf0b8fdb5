//! The service itself: health, metrics, what it says of itself, stopping, and the description being
//! true.

use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use reqwest::{Method, header};
use serde_json::Value;

use crate::support::{JsonAnswer, Process, TestServer};

#[tokio::test]
async fn it_says_what_it_is_and_that_it_is_well() {
    let server = TestServer::with(&["--max-clients", "7"]).await;
    let visitor = server.device();
    let about = visitor.get("/api/v1/server").await;
    assert_eq!(
        (&about["name"], &about["limits"]["clients"]),
        (&"rejoin.server".into(), &7.into())
    );
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let healthz = visitor
        .request(Method::GET, "/healthz")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            healthz.status().as_u16(),
            healthz.text().await.unwrap().as_str()
        ),
        (200, "ok\n")
    );
    server
        .create_session("alice")
        .await
        .send("JOIN #rust")
        .await;
    let metrics = visitor
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "rejoin_sessions 1",
        "rejoin_clients 1",
        "rejoin_commands_total 1",
        "rejoin_http_requests_total{status=\"201\"} 1",
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let description = alice.get("/openapi.json").await;
    let mut paths: Vec<_> = description["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|path| {
            path.replace("{id}", "0")
                .replace("{client_id}", "app_x")
                .replace("{name}", "app.js")
        })
        .collect();
    paths.extend(["/nowhere".into(), "/api/v1/nowhere".into()]);
    for path in paths {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let path = if path == "/api/v1/messages" {
                format!("{path}?timeout=0")
            } else {
                path.clone()
            };
            let response = server
                .device()
                .request(method.clone(), &path)
                .send()
                .await
                .unwrap();
            let headers = response.headers();
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
                "{method} {path}"
            );
            assert_eq!(
                headers[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff",
                "{method} {path}"
            );
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{method} {path}");
            assert_eq!(
                headers[header::REFERRER_POLICY],
                "same-origin",
                "{method} {path}"
            );
            // On the way of signing in, an app that opened the window finds it again, wherever its
            // forms lead.
            let page = path.split('?').next().unwrap();
            let signs_in =
                ["/login", "/device", "/auth/authorize", "/auth/consent"].contains(&page);
            assert_eq!(
                headers.contains_key("cross-origin-opener-policy"),
                !signs_in,
                "{method} {path}"
            );
            assert_eq!(
                policy.contains("form-action 'self'"),
                !signs_in,
                "{method} {path}"
            );
            for (name, value) in [
                ("cross-origin-resource-policy", "same-origin"),
                (
                    "permissions-policy",
                    "camera=(), geolocation=(), microphone=()",
                ),
            ] {
                assert_eq!(headers[name], value, "{method} {path}");
            }
            assert!(
                headers.contains_key(header::CACHE_CONTROL),
                "{method} {path}"
            );
            let open = [
                "/auth/token",
                "/auth/revoke",
                "/auth/introspect",
                "/auth/userinfo",
            ]
            .contains(&page)
                || page == "/.well-known/oauth-authorization-server";
            assert_eq!(
                headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                open,
                "{method} {path}"
            );
            assert!(
                response.status().as_u16() < 500,
                "{method} {path} {}",
                response.status()
            );
        }
    }
}

/// The description against the server: what it lists is there, what it does not list is not, and
/// what comes back has the fields it says.
#[tokio::test]
async fn the_description_is_true() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    alice.create_key("chat:read").await.token("").await;
    let description = alice.get("/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    let expected = [
        "/",
        "/.well-known/change-password",
        "/.well-known/oauth-authorization-server",
        "/api/v1/approvals/{client_id}",
        "/api/v1/audit",
        "/api/v1/channels",
        "/api/v1/clients",
        "/api/v1/clients/{id}",
        "/api/v1/events",
        "/api/v1/grants",
        "/api/v1/grants/{id}",
        "/api/v1/history",
        "/api/v1/keys",
        "/api/v1/keys/{client_id}",
        "/api/v1/keys/{client_id}/rotate",
        "/api/v1/login",
        "/api/v1/logout",
        "/api/v1/messages",
        "/api/v1/server",
        "/api/v1/session",
        "/api/v1/socket",
        "/assets/{name}",
        "/auth/authorize",
        "/auth/consent",
        "/auth/grants/events",
        "/auth/device",
        "/auth/introspect",
        "/auth/revoke",
        "/auth/token",
        "/auth/userinfo",
        "/device",
        "/healthz",
        "/login",
        "/login/code",
        "/logout",
        "/metrics",
        "/openapi.json",
    ];
    assert_eq!(
        paths.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(expected)
    );
    let text = description.to_string();
    for reference in text
        .split("\"$ref\":\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            description.pointer(reference).is_some(),
            "there is no {reference}"
        );
    }
    for (path, operations) in paths {
        let operations = operations.as_object().unwrap();
        let listed: BTreeSet<_> = operations
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        for (status, answer) in operations
            .values()
            .flat_map(|operation| operation["responses"].as_object().unwrap())
        {
            assert!(
                answer["description"].is_string(),
                "OpenAPI wants {path} {status} to be described"
            );
        }
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let address = path
                .replace("{id}", "0")
                .replace("{client_id}", "app_x")
                .replace("{name}", "app.js");
            let request = server.device().request(method.parse().unwrap(), &address);
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert_eq!(
                status != 405,
                listed.contains(method),
                "{method} {path} is {status}"
            );
            if status == 405 {
                // RFC 9110 §15.5.6: it says what there is; HEAD comes with GET.
                let allowed = answer.headers()[header::ALLOW]
                    .to_str()
                    .unwrap()
                    .split(',')
                    .filter(|m| *m != "HEAD");
                assert_eq!(
                    allowed.map(str::to_owned).collect::<BTreeSet<_>>(),
                    listed,
                    "{path}"
                );
            }
        }
    }
    for (path, query) in [
        ("/api/v1/session", ""),
        ("/api/v1/clients", ""),
        ("/api/v1/messages", "?timeout=0"),
        ("/api/v1/history", "?target=%23rust"),
        ("/api/v1/channels", ""),
        ("/api/v1/server", ""),
        ("/api/v1/keys", ""),
        ("/api/v1/grants", ""),
        ("/.well-known/oauth-authorization-server", ""),
    ] {
        let schema = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{path} has no schema");
        fits(
            &description,
            schema,
            &alice.get(&format!("{path}{query}")).await,
            path,
        );
    }
}

/// Whether a value has the fields its schema says, all that are required and none that is unknown.
fn fits(description: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    let nullable = schema["type"]
        .as_array()
        .is_some_and(|types| types.contains(&"null".into()));
    if nullable && value.is_null() {
        return;
    }
    if let Some(items) = schema.get("items") {
        for (n, item) in value
            .as_array()
            .unwrap_or_else(|| panic!("{place} is no list"))
            .iter()
            .enumerate()
        {
            fits(description, items, item, &format!("{place}/{n}"));
        }
    } else if let Some(properties) = schema["properties"].as_object() {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("{place} is no object"));
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(
                object.contains_key(required.as_str().unwrap()),
                "{place} lacks {required}"
            );
        }
        for (name, value) in object {
            let property = properties
                .get(name)
                .unwrap_or_else(|| panic!("{place}/{name} is not in the schema"));
            fits(description, property, value, &format!("{place}/{name}"));
        }
    }
}

#[tokio::test]
async fn the_web_client_is_served_and_kept_until_it_changes() {
    let server = TestServer::start().await;
    let visitor = server.device();
    let page = visitor.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(
        page.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    let tag = page.headers()[header::ETAG].clone();
    let html = page.text().await.unwrap();
    assert!(
        !html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick="),
        "nothing inline"
    );
    let again = visitor
        .request(Method::GET, "/")
        .header(header::IF_NONE_MATCH, tag)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (again.status().as_u16(), again.text().await.unwrap().len()),
        (304, 0)
    );
    let script = visitor
        .request(Method::GET, "/assets/app.js")
        .send()
        .await
        .unwrap();
    assert_eq!(
        script.headers()[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
    for path in [
        "/assets/../schema.sql",
        "/assets/%2e%2e%2fCargo.toml",
        "/assets/nothing.js",
        "/assets/",
    ] {
        assert_eq!(
            visitor
                .request(Method::GET, path)
                .send()
                .await
                .unwrap()
                .status()
                .as_u16(),
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_web_client_travels_compressed() {
    let server = TestServer::start().await;
    let visitor = server.device();
    for path in [
        "/",
        "/assets/chat.js",
        "/assets/chat.css",
        "/assets/icon.svg",
        "/assets/app.webmanifest",
    ] {
        let plain = visitor.request(Method::GET, path).send().await.unwrap();
        let ask = |tag: Option<&header::HeaderValue>| {
            let request = visitor
                .request(Method::GET, path)
                .header(header::ACCEPT_ENCODING, "br, gzip;q=0.8");
            tag.into_iter()
                .fold(request, |request, tag| {
                    request.header(header::IF_NONE_MATCH, tag)
                })
                .send()
        };
        let packed = ask(None).await.unwrap();
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        for answer in [&plain, &packed] {
            assert_eq!(answer.headers()[header::VARY], "Accept-Encoding");
        }
        for name in [header::CONTENT_TYPE, header::CACHE_CONTROL] {
            assert_eq!(plain.headers()[&name], packed.headers()[&name]);
        }
        let tag = packed.headers()[header::ETAG].clone();
        assert_ne!(plain.headers()[header::ETAG], tag);
        let mut text = String::new();
        let (plain, packed) = (plain.text().await.unwrap(), packed.bytes().await.unwrap());
        GzDecoder::new(&packed[..])
            .read_to_string(&mut text)
            .unwrap();
        assert!(text == plain && packed.len() < plain.len(), "{path}");
        assert_eq!(ask(Some(&tag)).await.unwrap().status().as_u16(), 304);
    }
}

#[tokio::test]
async fn a_flood_of_one_client_is_slowed_down_and_others_are_not() {
    let server = TestServer::with(&["--flood-limit", "5:2"]).await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    for _ in 0..5 {
        alice.send("PING x").await;
    }
    let refusal = alice.try_send("PING x").await.unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.status, refusal.retry_after),
        ("throttled", 429, Some(1))
    );
    bob.send("PING x").await;
    alice.snapshot().await;
    let lines = alice.get("/api/v1/audit").await;
    let last = lines.items().last().unwrap();
    assert_eq!(
        (&last["action"], &last["reason"]),
        (&"throttled".into(), &"commands".into())
    );
    server.advance(std::time::Duration::from_secs(1));
    alice.send("PING x").await;
}

#[tokio::test]
async fn sigterm_ends_held_polls_and_streams_and_keeps_what_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let last = alice.drain().await.last().unwrap()["id"].as_i64().unwrap();
    let held = tokio::spawn({
        let alice = alice.clone();
        async move { alice.poll(&format!("timeout=60&after={last}")).await }
    });
    let mut stream = alice.stream("").await;
    server.wait_for_connections(2).await;
    let status = tokio::task::spawn_blocking(move || server.terminate())
        .await
        .unwrap();
    assert!(status.success());
    let page = held.await.unwrap();
    assert_eq!(
        (page.messages().len(), page["next"].as_i64()),
        (0, Some(last))
    );
    while let Some(frame) = stream.frame().await {
        assert_ne!(
            frame[0],
            ("event".into(), "end".into()),
            "the client has not ended"
        );
    }
    let again = Process::start(&database, &[]);
    let alice = again.device().with_cookie(alice.cookie.as_deref().unwrap());
    assert_eq!(alice.snapshot().await["acknowledged"].as_i64(), Some(last));
}

#[test]
fn what_cannot_be_served_safely_is_refused_with_a_word_on_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    for (args, word) in [
        (vec!["--listen", "0.0.0.0:0"], "--public-url"),
        (
            vec![
                "--listen",
                "0.0.0.0:0",
                "--public-url",
                "http://chat.example",
            ],
            "--insecure-http",
        ),
        (vec!["--public-url", "chat.example"], "https://"),
        (vec!["--retention", "soon"], "30d"),
    ] {
        let said = Process::refused(&database, &args);
        assert!(said.contains(word), "{said}");
    }
}
