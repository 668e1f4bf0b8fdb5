//! The OAuth endpoints that ignore cookies, called by pages of other origins: preflight requests,
//! and which answers those pages may read.

use reqwest::{Method, Response, header};
use serde_json::Value;

use crate::support::{Device, FLAGS, TestServer};

const OTHER_ADDRESS: &str = "https://app.example";
const OPEN: [(&str, &str); 5] = [
    ("/auth/token", "POST"),
    ("/auth/revoke", "POST"),
    ("/auth/introspect", "POST"),
    ("/auth/userinfo", "GET, HEAD, POST"),
    ("/.well-known/oauth-authorization-server", "GET, HEAD"),
];

/// The preflight request that a browser sends before a page of another origin calls.
async fn preflight(device: &Device, path: &str, method: &str) -> Response {
    let request = device
        .request(Method::OPTIONS, path)
        .header(header::ORIGIN, OTHER_ADDRESS);
    let request = request
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "cors");
    let request = request.header("access-control-request-method", method);
    request
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
        .send()
        .await
        .unwrap()
}

fn header_of<'r>(response: &'r Response, name: &str) -> &'r str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_preflight_is_answered_only_where_pages_of_other_origins_may_call() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    for (path, methods) in OPEN {
        for method in ["GET", "POST", "DELETE", "nonsense"] {
            let allowed = preflight(&alice, path, method).await;
            assert_eq!(allowed.status(), 204, "{path}");
            for (name, value) in [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", methods),
                (
                    "access-control-allow-headers",
                    "Authorization, Content-Type",
                ),
                ("access-control-allow-credentials", ""),
                ("access-control-max-age", "86400"),
                ("allow", methods),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(header_of(&allowed, name), value, "{path} {name}");
            }
        }
    }
    let closed = [
        "/api/v1/session",
        "/api/v1/messages",
        "/api/v1/login",
        "/api/v1/server",
        "/api/v1/channels",
        "/login",
        "/logout",
        "/device",
        "/auth/authorize",
        "/auth/consent",
        "/auth/device",
        "/auth/grants/events",
        "/auth/token/",
        "/openapi.json",
        "/nowhere",
        "/",
    ];
    for path in closed {
        let refused = preflight(&alice, path, "POST").await;
        assert!(
            matches!(refused.status().as_u16(), 403..=405),
            "{path} {}",
            refused.status()
        );
        assert!(
            !refused
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control")),
            "{path}"
        );
        let read = alice
            .request(Method::GET, path)
            .header(header::ORIGIN, OTHER_ADDRESS)
            .send()
            .await
            .unwrap();
        assert!(
            !read
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control")),
            "{path}"
        );
    }
    // A request without both headers is not a preflight.
    for (name, value) in [
        ("origin", OTHER_ADDRESS),
        ("access-control-request-method", "POST"),
    ] {
        let plain = alice
            .request(Method::OPTIONS, "/auth/token")
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (plain.status().as_u16(), header_of(&plain, "allow")),
            (405, "POST"),
            "{name} alone"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_read_every_answer_and_cookies_do_not_count() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server
            .app("spa", &[&FLAGS[..], &["--public"]].concat())
            .await,
    );
    let tokens = app.sign_in(&alice, "identity chat:read").await;
    let token = tokens["access_token"].as_str().unwrap();
    // Alice has the page open, so her browser may even send her cookie.
    let call = |method: Method, path: &str| {
        let request = alice
            .request(method, path)
            .header(header::ORIGIN, OTHER_ADDRESS);
        request
            .header("sec-fetch-site", "cross-site")
            .header("sec-fetch-mode", "cors")
    };
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let own = [("client_id", app.client_id.as_str())];
    let refresh = [&refresh[..], &own].concat();
    for (request, status) in [
        (
            call(Method::GET, "/.well-known/oauth-authorization-server"),
            200,
        ),
        (call(Method::POST, "/auth/token").form(&refresh), 200),
        (call(Method::POST, "/auth/token").form(&own), 400),
        (
            call(Method::POST, "/auth/token")
                .form(&[("client_id", "app_x"), ("grant_type", "client_credentials")]),
            401,
        ),
        (
            call(Method::POST, "/auth/token").body("x".repeat(20_000)),
            413,
        ),
        (call(Method::PUT, "/auth/token"), 405),
        (call(Method::GET, "/auth/token"), 405),
        (call(Method::GET, "/auth/userinfo").bearer_auth(token), 200),
        (call(Method::POST, "/auth/userinfo").bearer_auth(token), 200),
        (call(Method::GET, "/auth/userinfo"), 401),
        (call(Method::POST, "/auth/introspect").form(&own), 400),
        (
            call(Method::POST, "/auth/revoke").form(&[own[0], ("token", token)]),
            200,
        ),
        (call(Method::GET, "/auth/userinfo").bearer_auth(token), 401),
    ] {
        let response = request.send().await.unwrap();
        let url = response.url().clone();
        assert_eq!(response.status(), status, "{url}");
        assert_eq!(
            header_of(&response, "access-control-allow-origin"),
            "*",
            "{url} {status}"
        );
        assert_eq!(
            header_of(&response, "access-control-allow-credentials"),
            "",
            "{url} {status}"
        );
        assert_eq!(
            header_of(&response, "access-control-expose-headers"),
            "WWW-Authenticate, Retry-After",
            "{url} {status}"
        );
        assert_eq!(
            header_of(&response, "cache-control"),
            "no-store",
            "{url} {status}"
        );
    }
    for path in ["/auth/device", "/auth/consent", "/login", "/api/v1/session"] {
        assert_eq!(
            call(Method::POST, path)
                .form(&own)
                .send()
                .await
                .unwrap()
                .status(),
            403,
            "{path}"
        );
    }
}

#[tokio::test]
async fn userinfo_answers_post_like_get_and_accepts_the_token_in_the_form() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let bot = alice.create_key("identity").await.token("").await;
    let token = bot.token.as_deref().unwrap();
    let expected = bot.get("/auth/userinfo").await;
    let post = |device: &Device| device.request(Method::POST, "/auth/userinfo");
    let visitor = server.device();
    let plain = |request: reqwest::RequestBuilder, kind: &str, body: &str| {
        request
            .header(header::CONTENT_TYPE, kind)
            .body(body.to_owned())
    };
    let form = "application/x-www-form-urlencoded";
    for (case, request, status) in [
        ("no form", post(&bot), 200),
        ("an empty form", plain(post(&bot), form, ""), 200),
        (
            "a form without the token",
            plain(post(&bot), form, "schema=openid"),
            200,
        ),
        (
            "JSON beside the header",
            plain(post(&bot), "application/json", "{}"),
            200,
        ),
        (
            "the token in the form",
            plain(post(&visitor), form, &format!("access_token={token}")),
            200,
        ),
        (
            "an empty token beside it",
            plain(
                post(&visitor),
                form,
                &format!("x=y&access_token={token}&access_token="),
            ),
            400,
        ),
        (
            "the token twice",
            plain(
                post(&visitor),
                form,
                &format!("access_token={token}&access_token={token}"),
            ),
            400,
        ),
        (
            "the token in the header and in the form",
            plain(post(&bot), form, &format!("access_token={token}")),
            400,
        ),
        (
            "a made-up token",
            plain(post(&visitor), form, "access_token=rja_x"),
            401,
        ),
        (
            "a token that is no token",
            plain(post(&visitor), form, "access_token=%22"),
            401,
        ),
        (
            "neither header nor token",
            plain(post(&visitor), form, ""),
            401,
        ),
        (
            "the token in a text",
            plain(
                post(&visitor),
                "text/plain",
                &format!("access_token={token}"),
            ),
            401,
        ),
        ("a cookie", post(&alice), 401),
        (
            "the token in the query",
            visitor.request(
                Method::POST,
                &format!("/auth/userinfo?access_token={token}"),
            ),
            401,
        ),
        (
            "a form by GET",
            visitor
                .request(Method::GET, "/auth/userinfo")
                .form(&[("access_token", token)]),
            401,
        ),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{case}");
        if status == 200 {
            assert_eq!(response.json::<Value>().await.unwrap(), expected, "{case}");
        }
    }
}
