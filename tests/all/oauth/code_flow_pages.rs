//! The pages of signing in work for apps of other origins: in a window that the app opened,
//! requested by a form, and left by redirects.

use reqwest::{Method, header};

use crate::support::{
    CONSENT, FLAGS, REDIRECT, TestServer, authorization_path, checked, status_and_code, with_param,
};

const KIND: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn no_page_of_signing_in_sets_an_opener_policy_or_a_form_action() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &FLAGS).await,
    );
    let asking = app.authorization_request("identity");
    let wrong = authorization_path(&with_param(&asking, "client_id", Some("app_x")));
    let asked = authorization_path(&asking);
    for (path, status) in [
        (asked.as_str(), 200),
        (&wrong, 400),
        ("/login?next=/device", 200),
        ("/device", 200),
        ("/device?user_code=BCDF-GHJK", 200),
        ("/?next=%2Fdevice", 200),
        (CONSENT, 405),
    ] {
        let landing = alice.open_page(path).await;
        assert_eq!((landing.status, landing.opener), (status, None), "{path}");
        assert!(
            !landing.policy.contains("form-action"),
            "{path}: {}",
            landing.policy
        );
        assert!(
            landing.policy.contains("frame-ancestors 'none'"),
            "{path}: {}",
            landing.policy
        );
    }
    // A redirect between them must not set an opener policy either.
    let sent = server.device().open_authorization(&asking).await;
    assert_eq!((sent.status, sent.opener), (303, None));
    let decided = alice.approve(&asking, &[]).await;
    assert_eq!((decided.status, decided.opener), (303, None));
    // The chat itself has an opener policy.
    for path in ["/", "/?nick=alice", "/api/v1/session", "/openapi.json"] {
        let landing = alice.open_page(path).await;
        assert_eq!(landing.opener.as_deref(), Some("same-origin"), "{path}");
        assert!(landing.policy.contains("form-action 'self'"), "{path}");
    }
    let page = alice.open_authorization(&asking).await.page;
    assert!(
        page.contains(&format!("method=\"post\" action=\"{CONSENT}\"")),
        "{page}"
    );
}

#[tokio::test]
async fn a_form_from_another_site_to_authorize_is_redirected_to_get() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &FLAGS).await,
    );
    let asking = [
        app.authorization_request("identity"),
        vec![
            ("nonce".into(), "a b&c".into()),
            ("decision".into(), "allow".into()),
        ],
    ]
    .concat();
    for head in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", REDIRECT),
        ("origin", "null"),
    ] {
        let post = |form: &crate::support::Params| {
            alice
                .request(Method::POST, "/auth/authorize")
                .header(head.0, head.1)
                .form(form)
        };
        let response = post(&asking).send().await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                response.headers()[header::LOCATION].to_str().unwrap()
            ),
            (303, authorization_path(&asking).as_str())
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let page = alice
            .open_page(response.headers()[header::LOCATION].to_str().unwrap())
            .await;
        assert!(page.status == 200 && page.page.contains("wiki"), "{page:?}");
        // It is redirected whatever it contains, and the GET reports the error. Only a request that
        // is too long for a redirect is refused here.
        assert_eq!(
            post(&vec![]).send().await.unwrap().headers()[header::LOCATION],
            "/auth/authorize?"
        );
        let long = with_param(&asking, "state", Some(&"%".repeat(4000)));
        assert_eq!(post(&long).send().await.unwrap().status(), 413);
        let json = alice
            .request(Method::POST, "/auth/authorize")
            .header(head.0, head.1)
            .json(&app.client_id);
        assert_eq!(json.send().await.unwrap().status(), 400);
        // The decision must not come from another site.
        let decision = alice
            .request(Method::POST, CONSENT)
            .header(head.0, head.1)
            .form(&asking)
            .send()
            .await
            .unwrap();
        assert_eq!(
            status_and_code(checked(decision).await.unwrap_err()),
            (403, "cross_site_request".into())
        );
    }
    assert_eq!(server.rows("authorization_code"), 0);
}

#[tokio::test]
async fn a_post_from_our_own_page_or_a_program_is_answered_like_a_get() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &FLAGS).await,
    );
    let asking = app.authorization_request("identity");
    let post = async |device: &crate::support::Device, form: &crate::support::Params| {
        let own = device
            .request(Method::POST, "/auth/authorize")
            .header("sec-fetch-site", "same-origin");
        let program = device.request(Method::POST, "/auth/authorize");
        let [own, program] = [own, program].map(|request| request.form(form).send());
        let (own, program) = (own.await.unwrap(), program.await.unwrap());
        assert_eq!(own.status(), program.status());
        (
            own.status().as_u16(),
            own.headers()
                .get(header::LOCATION)
                .map(|to| to.to_str().unwrap().to_owned()),
            own.text().await.unwrap(),
        )
    };
    let (status, _, page) = post(&alice, &asking).await;
    assert!(status == 200 && page.contains("Let wiki in?"), "{page}");
    // A decision that is posted to the authorization endpoint does not count.
    let (status, _, page) = post(
        &alice,
        &[asking.clone(), vec![("decision".into(), "allow".into())]].concat(),
    )
    .await;
    assert!(status == 200 && page.contains("Let wiki in?"), "{page}");
    assert_eq!(server.rows("authorization_code"), 0);
    let (status, to, _) = post(&server.device(), &asking).await;
    assert!(
        status == 303
            && to
                .unwrap()
                .starts_with("/login?next=%2Fauth%2Fauthorize%3F"),
        "a browser without a session"
    );
    let (status, _, page) = post(
        &alice,
        &with_param(&asking, "redirect_uri", Some("https://evil.example/")),
    )
    .await;
    assert!(
        status == 400 && page.contains("not registered for this app"),
        "{page}"
    );
    let plain = alice
        .request(Method::POST, "/auth/authorize")
        .header(header::CONTENT_TYPE, "text/plain")
        .body("client_id=x");
    assert_eq!(plain.send().await.unwrap().status(), 400);
    let two = format!("client_id={0}&client_id={0}", app.client_id);
    let two = alice
        .request(Method::POST, "/auth/authorize")
        .header(header::CONTENT_TYPE, KIND)
        .body(two);
    assert_eq!(two.send().await.unwrap().status(), 400);
}
