//! The login form for people without script.

use super::*;

async fn form(
    server: &TestServer,
    device: &Device,
    fields: &[(&str, &str)],
) -> (u16, Option<String>, Option<String>, String) {
    let _ = server;
    let response = device
        .request(Method::POST, "/login")
        .form(fields)
        .send()
        .await
        .unwrap();
    let text = |name| {
        response
            .headers()
            .get(name)
            .map(|v: &header::HeaderValue| v.to_str().unwrap().to_owned())
    };
    let (location, cookie) = (text(header::LOCATION), text(header::SET_COOKIE));
    (
        response.status().as_u16(),
        location,
        cookie,
        response.text().await.unwrap(),
    )
}

#[tokio::test]
async fn the_form_redirects_or_shows_the_page_again() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    alice_with_password(&server).await;
    let visitor = server.device();
    let wrong = [
        ("nick", "alice"),
        ("password", "<b>wrong</b>"),
        ("next", "/x"),
    ];
    let (status, location, cookie, page) = form(&server, &visitor, &wrong).await;
    assert_eq!((status, location, cookie), (401, None, None));
    assert!(
        page.contains("There is no session with this nick and this password.")
            && page.contains("value=\"alice\"")
    );
    assert!(!page.contains("wrong"), "the password is not in the page");

    let right = [
        ("nick", "alice"),
        ("password", PASSWORD),
        ("next", "/somewhere?a=b"),
    ];
    let (status, location, cookie, _) = form(&server, &visitor, &right).await;
    assert_eq!((status, location.as_deref()), (303, Some("/somewhere?a=b")));
    let phone = visitor.with_cookie(cookie.unwrap().split(';').next().unwrap());
    assert_eq!(phone.snapshot().await["session"]["nick"], "alice");

    for elsewhere in [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "",
    ] {
        let (status, _, _, page) = form(
            &server,
            &visitor,
            &[
                ("nick", "alice"),
                ("password", PASSWORD),
                ("next", elsewhere),
            ],
        )
        .await;
        assert_eq!(status, 409, "there are two devices already");
        assert!(page.contains("name=\"next\" value=\"/\""), "{elsewhere}");
        assert!(
            page.contains("name=\"replace\""),
            "the page offers to replace one"
        );
    }
    let id = phone.snapshot().await["client"]["id"].to_string();
    let replacing = [
        ("nick", "alice"),
        ("password", PASSWORD),
        ("next", "//evil.example"),
        ("replace", id.as_str()),
    ];
    let (status, location, ..) = form(&server, &visitor, &replacing).await;
    assert_eq!((status, location.as_deref()), (303, Some("/")));
    assert_eq!(
        phone
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .body["reason"],
        "removed"
    );
}

#[tokio::test]
async fn secrets_are_neither_in_the_database_nor_in_answers() {
    let server = TestServer::start().await;
    let alice = alice_with_password(&server).await;
    alice.snapshot().await;
    let secret = alice
        .cookie
        .as_deref()
        .unwrap()
        .trim_start_matches("rejoin=")
        .to_owned();
    for path in ["/api/v1/session", "/api/v1/clients", "/api/v1/server"] {
        let shown: Value = alice.get(path).await;
        assert!(!shown.to_string().contains(&secret) && !shown.to_string().contains("argon2"));
    }
    assert_not_on_disk(&server.database(), &secret);
    assert_not_on_disk(&server.database(), PASSWORD);
}

#[tokio::test]
async fn the_form_answers_every_error_with_the_page() {
    let server = TestServer::start().await;
    alice_with_password(&server).await;
    let empty = [("nick", "alice"), ("password", PASSWORD), ("replace", "")];
    assert_eq!(form(&server, &server.device(), &empty).await.0, 303);
    let live = [
        server.create_session("bob").await,
        server.create_session("carol").await,
    ]
    .map(|device| device.cookie.unwrap());
    let twice = server.device().with_cookie(&live.join("; "));
    let (status, _, _, page) = form(&server, &twice, &empty).await;
    assert!(
        status == 400 && page.contains("<form") && page.contains("cookies"),
        "{page}"
    );
}

/// Session fixation: an attacker who plants a cookie in a browser does not know the browser's
/// cookie after the login.
#[tokio::test]
async fn no_presented_secret_is_ever_adopted() {
    let server = TestServer::start().await;
    alice_with_password(&server).await;
    let gone = server.create_session("gone").await;
    gone.send("QUIT").await;
    let planted = [
        format!("rejoin={}", "A".repeat(43)),
        "rejoin=chosen".into(),
        gone.cookie.unwrap(),
    ];
    for (n, planted) in planted.into_iter().enumerate() {
        let victim = server.device().with_cookie(&planted);
        let fields = [("nick", "alice"), ("password", PASSWORD)];
        let by_form = form(&server, &victim, &fields).await.2.unwrap();
        let entered = [
            victim
                .login("alice", PASSWORD)
                .await
                .unwrap()
                .cookie
                .unwrap(),
            victim
                .try_create_session(&format!("victim{n}"))
                .await
                .unwrap()
                .cookie
                .unwrap(),
            by_form.split(';').next().unwrap().to_owned(),
        ];
        for cookie in entered {
            assert_ne!(cookie, planted);
            server.device().with_cookie(&cookie).snapshot().await;
        }
        assert_eq!(
            victim
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
                .status,
            401
        );
    }
}
