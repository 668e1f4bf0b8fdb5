//! How the web client is served, the limit of commands, and the stop.

use super::*;

#[tokio::test]
async fn the_web_client_is_served_and_cached_until_it_changes() {
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
        "/assets/templates/login.html",
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
async fn the_web_client_is_sent_compressed() {
    let server = TestServer::start().await;
    let visitor = server.device();
    for path in [
        "/",
        "/assets/core/chat.js",
        "/assets/styles/messages.css",
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
async fn a_flood_of_one_client_is_limited_and_others_are_not() {
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
async fn sigterm_ends_held_requests_and_keeps_accepted_commands() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let last = alice.drain().await.last().unwrap().id;
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
    assert_eq!((page.messages.len(), page.next), (0, last));
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
fn unsafe_settings_are_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    for (case, args, word) in [
        (
            "no public URL off loopback",
            vec!["--listen", "0.0.0.0:0"],
            "--public-url",
        ),
        (
            "plain http off loopback",
            vec![
                "--listen",
                "0.0.0.0:0",
                "--public-url",
                "http://chat.example",
            ],
            "--insecure-http",
        ),
        (
            "a public URL without its scheme",
            vec!["--public-url", "chat.example"],
            "https://",
        ),
        (
            "a duration that is a word",
            vec!["--retention", "soon"],
            "30d",
        ),
    ] {
        let said = Process::refused(&database, &args);
        assert!(said.contains(word), "{case}: {said}");
    }
}
