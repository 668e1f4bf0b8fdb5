//! Cookies that a page on a sibling host plants, in real Chromium over TLS. The server takes none
//! of them for its own, and they disturb no session.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::support::{
    JsonAnswer, TestServer,
    browser::{Browsers, Page, Window},
    tls::{Certificate, DOMAIN, Tls},
};

/// Names that some server has taken for ours, or that other programs would take for it. A browser
/// lets any page set the first three.
const NAMES: [&str; 14] = [
    "\u{2000}__Host-rejoin",
    "\u{85}__Host-rejoin",
    "\u{a0}__Host-rejoin",
    "\u{feff}__Host-rejoin",
    "\u{3000}__Host-rejoin\u{3000}",
    "__Host-rejoin\u{a0}",
    "\u{b}__Host-rejoin",
    " \t__Host-rejoin",
    "\"__Host-rejoin\"",
    "=__Host-rejoin",
    "__Host-rejoin",
    "__host-rejoin",
    "__HOST-REJOIN",
    "rejoin",
];

/// The sibling's site. It plants a secret under every name, and reports which of the cookies a
/// browser sends back.
async fn sibling(secret: String) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = Router::new()
        .route(
            "/",
            get(|| async { Html("<!doctype html><title>Next door</title><p>Hello") }),
        )
        .route("/plant", get(plant))
        .route("/brought", get(brought))
        .with_state(secret);
    (
        address,
        tokio::spawn(async move { axum::serve(listener, site).await.unwrap() }),
    )
}

async fn plant(State(secret): State<String>) -> Response {
    let mut response = Html("<!doctype html><title>Planted</title><p>Done").into_response();
    for name in NAMES {
        let line = format!("{name}={secret}; Domain={DOMAIN}; Path=/; Secure");
        // A server cannot send a cookie that is no valid header value.
        response.headers_mut().extend(
            HeaderValue::from_bytes(line.as_bytes()).map(|line| (header::SET_COOKIE, line)),
        );
    }
    response
}

async fn brought(headers: HeaderMap) -> Json<Vec<String>> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    let cookies = lines.flat_map(|line| line.split("; ").map(str::to_owned).collect::<Vec<_>>());
    Json(
        cookies
            .map(|cookie| {
                cookie
                    .rsplit_once('=')
                    .map_or(cookie.clone(), |(name, _)| name.to_owned())
            })
            .collect(),
    )
}

/// The status of a request from the open page, and the nick of its session.
async fn session(page: &Page) -> Value {
    let ask = "const done = arguments[0];
        fetch('/api/v1/session').then(async (answer) => done([answer.status, (await answer.json()).session?.nick]))";
    page.run_async(ask, vec![]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_cookies_are_neither_accepted_nor_harmful() {
    let certificate = Certificate::new();
    let [mut ours, mut theirs] = [Tls::start(&certificate), Tls::start(&certificate)];
    let (host, next_door) = (ours.host("a"), format!("https://{}", theirs.host("b")));
    let here = format!("https://{host}");
    let server = TestServer::with(&["--public-url", &here]).await;
    ours.serve(server.address);
    let mallory = server
        .device()
        .with_host(&host)
        .try_create_session("mallory")
        .await
        .unwrap();
    let secret = mallory
        .cookie
        .as_ref()
        .unwrap()
        .strip_prefix("__Host-rejoin=")
        .unwrap()
        .to_owned();
    let (address, _site) = sibling(secret.clone()).await;
    theirs.serve(address);

    let browsers = Browsers::take_turn().await;
    for (nick, by_script) in [("alice", false), ("bob", true)] {
        let resolve = format!("--host-resolver-rules=MAP *.{DOMAIN} 127.0.0.1");
        let page = browsers
            .open_with(Window::Desktop, &["--ignore-certificate-errors", &resolve])
            .await;
        if by_script {
            page.goto(&next_door).await;
            let plant = "const [names, secret, domain] = arguments;
                for (const name of names) document.cookie = `${name}=${secret}; Domain=${domain}; Path=/; Secure`";
            page.run(plant, vec![json!(NAMES), json!(secret), json!(DOMAIN)])
                .await;
        } else {
            page.goto(&format!("{next_door}/plant")).await;
        }
        let ask = "const done = arguments[0]; fetch('/brought').then(async (answer) => done(await answer.json()))";
        let brought = page.run_async(ask, vec![]).await;
        for name in &NAMES[..3] {
            assert!(
                brought.items().contains(&json!(name)),
                "{name:?} was not planted: {brought}"
            );
        }
        assert!(
            !brought.items().contains(&json!("__Host-rejoin")),
            "the browser lets no sibling plant this name"
        );

        // The planted cookies log nobody in.
        page.goto(&here).await;
        page.shows("#nick").await;
        assert_eq!(session(&page).await, json!([401, null]));
        // They do not disturb a session either.
        page.create_session(&here, nick).await;
        assert_eq!(session(&page).await, json!([200, nick]));
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        page.reload().await;
        page.says("#own-nick", nick).await;
        // They are still there after the session has ended.
        let leave = "const done = arguments[0]; fetch('/logout', { method: 'POST' }).then(({ status }) => done(status))";
        assert_eq!(page.run_async(leave, vec![]).await, json!(204));
        assert_eq!(session(&page).await, json!([401, null]));
        page.goto(&next_door).await;
        assert_eq!(page.run_async(ask, vec![]).await, brought);
        page.close().await;
    }
    mallory.snapshot().await;
}
