//! Two servers on one host: neither logs out the other's users.

use reqwest::Method;

use crate::support::{
    TestServer,
    browser::{Browsers, Window},
};

/// What a logout answers: its status, the cookie that it clears, and the Clear-Site-Data header.
async fn logged_out(request: reqwest::RequestBuilder) -> (u16, String, String) {
    let response = request.send().await.unwrap();
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    (
        response.status().as_u16(),
        header("set-cookie"),
        header("clear-site-data"),
    )
}

#[tokio::test]
async fn a_logout_always_clears_its_own_cookie_and_no_other() {
    for (args, name) in [(&[][..], "rejoin"), (&["--cookie-name", "chat"], "chat")] {
        let server = TestServer::with(args).await;
        let [alice, bob] = [
            server.create_session("alice").await,
            server.create_session("bob").await,
        ];
        let bot = bob
            .create_key("chat:read session:manage")
            .await
            .token("")
            .await;
        for path in ["/logout", "/api/v1/logout"] {
            let cleared = format!("{name}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0");
            let cleared = (204, cleared, "\"cache\", \"storage\"".to_owned());
            for (device, what) in [
                (
                    server.device().with_cookie(alice.cookie.as_ref().unwrap()),
                    "a live client, and then one that has ended",
                ),
                (server.device(), "no cookie"),
                (
                    server.device().with_cookie(&format!("{name}=unknown")),
                    "an unknown one",
                ),
                (
                    server.device().with_cookie(&format!("{name}=")),
                    "an empty one",
                ),
                (server.device().with_cookie("other=x"), "a neighbour's"),
            ] {
                assert_eq!(
                    logged_out(device.request(Method::POST, path)).await,
                    cleared,
                    "{path}: {what}"
                );
            }
            // Several cookies are cleared together, so their clients end together.
            let two = [
                server.create_session("carol").await,
                server.create_session("dave").await,
            ];
            let live = two
                .each_ref()
                .map(|device| device.cookie.clone().unwrap())
                .join("; ");
            assert_eq!(
                logged_out(
                    server
                        .device()
                        .with_cookie(&live)
                        .request(Method::POST, path)
                )
                .await,
                cleared,
                "{path}"
            );
            for left in two {
                let ended = left.call(Method::GET, "/api/v1/session").await.unwrap_err();
                assert_eq!(ended.body["reason"], "logged_out", "{path}");
            }
            // A refused logout keeps the client, but the browser still forgets the cookie.
            let unknown = server
                .device()
                .with_token("rja_x")
                .request(Method::POST, path);
            assert_eq!(
                logged_out(unknown).await,
                (401, cleared.1.clone(), cleared.2.clone()),
                "{path}"
            );
            // A request from another site has no effect.
            let elsewhere = bob
                .request(Method::POST, path)
                .header("sec-fetch-site", "cross-site");
            assert_eq!(
                logged_out(elsewhere).await,
                (403, String::new(), String::new()),
                "{path}"
            );
        }
        assert_eq!(
            alice
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
                .body["reason"],
            "logged_out"
        );
        bob.snapshot().await;
        assert_eq!(
            logged_out(bot.request(Method::POST, "/logout")).await.0,
            204
        );
        assert!(bot.token_is_invalid().await);
        bob.snapshot().await;
    }
}

#[tokio::test]
async fn over_https_the_chosen_name_has_the_prefix() {
    let server = TestServer::with(&[
        "--cookie-name",
        "chat",
        "--public-url",
        "https://chat.example",
    ])
    .await;
    let visitor = server.device().with_host("chat.example");
    let alice = visitor.try_create_session("alice").await.unwrap();
    assert!(alice.cookie.as_ref().unwrap().starts_with("__Host-chat="));
    let (_, cleared, _) = logged_out(alice.request(Method::POST, "/logout")).await;
    assert_eq!(
        cleared,
        "__Host-chat=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"
    );
    let scheme =
        visitor.get("/openapi.json").await["components"]["securitySchemes"]["cookie"].clone();
    assert_eq!(
        (&scheme["in"], &scheme["name"]),
        (&"cookie".into(), &"__Host-chat".into())
    );
}

/// Cookies have no port, so a browser keeps the cookies of both servers in one jar.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_host_keep_their_sessions_apart_in_one_browser() {
    let [one, other] = [
        TestServer::start().await,
        TestServer::with(&["--cookie-name", "other"]).await,
    ];
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    page.create_session(&one.url(""), "alice").await;
    page.create_session(&other.url(""), "bob").await;
    page.goto(&one.url("")).await;
    page.says("#own-nick", "alice").await;
    page.run("localStorage.kept = 'x'; sessionStorage.kept = 'x'", vec![])
        .await;
    page.run_async(
        "const done = arguments[0]; fetch('/logout', { method: 'POST' }).then(({ status }) => done(status))",
        vec![],
    )
    .await;
    page.goto(&one.url("")).await;
    page.shows("#nick").await;
    assert_eq!(
        page.run(
            "return [localStorage.kept, sessionStorage.kept].join()",
            vec![]
        )
        .await,
        ","
    );
    page.goto(&other.url("")).await;
    page.says("#own-nick", "bob").await;
    let names = page
        .cookies()
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect::<Vec<_>>();
    assert_eq!(names, ["other"]);
}
