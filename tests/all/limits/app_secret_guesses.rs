//! Guesses at the secrets of apps, and floods of requests in the names of apps. Failures count by
//! network, whatever app they name. A correct secret always works.

use std::time::Duration;

use futures_util::future::join_all;
use rejoin::{audit::Limit, limits::Charge, model::Network};
use reqwest::{Method, Response, header};
use serde_json::Value;

use crate::support::{App, CONSENT, Device, FLAGS, TestServer, authorization_path, with_param};

mod floods;

/// The number of failures that one network may make at once.
const BURST: usize = 60;

/// How an app authenticates itself.
#[derive(Clone, Copy, Debug)]
enum By {
    Basic,
    Post,
}

const TOKEN: &str = "rja_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/// Every endpoint that checks an app's secret, and the request to each.
const ENDPOINTS: [(&str, &[(&str, &str)]); 4] = [
    ("/auth/token", &[("grant_type", "client_credentials")]),
    ("/auth/device", &[]),
    ("/auth/introspect", &[("token", TOKEN)]),
    ("/auth/revoke", &[("token", TOKEN)]),
];

/// The number of keys that sessions create and the number of tokens per key do not raise the limit.
#[tokio::test]
async fn the_keys_of_a_network_share_one_limit_of_tokens() {
    let server = server().await;
    let alice = server.create_session("alice").await;
    let [one, other] = [
        alice.create_key("chat:read").await,
        alice.create_key("chat:read").await,
    ];
    let network = Network::of([127, 0, 0, 1].into());
    let used = Charge::of_network(Limit::OwnTokens, network)
        .into_iter()
        .map(|charge| charge.amount(999));
    server
        .core()
        .rate_limits
        .charge(&used.collect::<Vec<_>>(), Duration::ZERO)
        .unwrap();
    assert_eq!(one.try_token("").await.0, 200);
    for key in [&one, &other] {
        assert_eq!(key.try_token("").await.0, 429);
    }
    server.advance(Duration::from_secs(1));
    assert_eq!(other.try_token("").await.0, 200);
}

async fn server() -> TestServer {
    TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await
}

async fn ask(
    from: &Device,
    path: &str,
    params: &[(&str, &str)],
    id: &str,
    secret: &str,
    by: By,
) -> Response {
    let request = from.request(Method::POST, path);
    let request = match by {
        By::Basic => request.basic_auth(id, Some(secret)).form(params),
        By::Post => {
            request.form(&[params, &[("client_id", id), ("client_secret", secret)]].concat())
        }
    };
    request.send().await.unwrap()
}

async fn too_many(response: Response) {
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()[header::RETRY_AFTER].to_str().unwrap()
        ),
        (429, "10")
    );
    assert_eq!(
        response.json::<Value>().await.unwrap()["error"],
        "temporarily_unavailable"
    );
}

/// Wrong secrets and unknown names from a neighbour never delay the correct secret, at any endpoint
/// and by any method.
#[tokio::test]
async fn failures_count_by_network_and_a_correct_secret_always_works() {
    let server = server().await;
    let flows = [
        "--redirect-uri",
        "https://app.example/done",
        "--device",
        "--resource-server",
    ];
    let app = server.app("validator", &flows).await;
    let neighbour = server.device().at_address("192.0.2.1");
    let mut refused = 0;
    for n in 0..BURST {
        let (path, params) = ENDPOINTS[n % ENDPOINTS.len()];
        let by = if n % 2 == 0 { By::Basic } else { By::Post };
        // The flood mixes unknown names with wrong secrets of a known app.
        let id = if n % 3 == 0 {
            app.client_id.clone()
        } else {
            format!("made-up-{n}")
        };
        let response = ask(&neighbour, path, params, &id, "rjk_wrong", by).await;
        refused += usize::from(response.status() == 401);
    }
    assert_eq!(refused, BURST);
    for (path, params) in ENDPOINTS {
        for by in [By::Basic, By::Post] {
            for id in [app.client_id.as_str(), "made-up-again"] {
                too_many(ask(&neighbour, path, params, id, "rjk_wrong", by).await).await;
            }
            let right = ask(&neighbour, path, params, &app.client_id, &app.secret, by).await;
            assert_eq!(right.status(), 200, "{path} {by:?}");
        }
    }
    let stream = neighbour.request(Method::GET, "/auth/grants/events");
    let wrong = stream
        .try_clone()
        .unwrap()
        .basic_auth(&app.client_id, Some("rjk_wrong"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 429);
    assert_eq!(
        stream
            .basic_auth(&app.client_id, Some(&app.secret))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let elsewhere = server.device().at_address("192.0.2.2");
    assert_eq!(
        ask(
            &elsewhere,
            "/auth/token",
            ENDPOINTS[0].1,
            "made-up",
            "x",
            By::Post
        )
        .await
        .status(),
        401
    );
}

/// Each of several simultaneous requests counts at once.
#[tokio::test]
async fn simultaneous_failures_are_limited_like_successive_ones() {
    let server = server().await;
    let (path, params) = ENDPOINTS[0];
    let neighbour = server.device().at_address("192.0.2.1");
    let neighbour = &neighbour;
    let at_once = join_all((0..BURST * 3).map(|n| async move {
        ask(
            neighbour,
            path,
            params,
            &format!("made-up-{n}"),
            "rjk_wrong",
            By::Post,
        )
        .await
        .status()
        .as_u16()
    }));
    let answers = at_once.await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(401), count(429)), (BURST, BURST * 2));
}

/// A public app has no secret, so an attacker can only guess its tokens and codes. Its real tokens
/// and codes always work.
#[tokio::test]
async fn tokens_and_codes_of_a_public_app_work_during_a_flood_of_guesses() {
    let server = server().await;
    let app = server
        .app(
            "terminal",
            &["--public", "--device", "--scope", "chat:read"],
        )
        .await;
    let alice = server
        .device()
        .at_address("192.0.2.1")
        .try_create_session("alice")
        .await
        .unwrap();
    let home = App {
        program: app.program.at_address("192.0.2.1"),
        ..app
    };
    let (_, waiting) = home.ask("/auth/device", &[]).await;
    let kind = "urn:ietf:params:oauth:grant-type:device_code";
    let poll = |code: String| {
        let home = home.clone();
        async move {
            home.post(
                "/auth/token",
                &[("grant_type", kind), ("device_code", &code)],
            )
            .await
        }
    };
    for n in 0..BURST {
        let params: &[_] = if n % 2 == 0 {
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", "rjr_made_up"),
            ]
        } else {
            &[("token", TOKEN)]
        };
        let path = if n % 2 == 0 {
            "/auth/token"
        } else {
            "/auth/revoke"
        };
        assert_eq!(
            home.post(path, params).await.status(),
            if n % 2 == 0 { 400 } else { 200 },
            "{n}"
        );
    }
    too_many(poll("rjd_made_up".into()).await).await;
    too_many(home.post("/auth/revoke", &[("token", TOKEN)]).await).await;
    let code = waiting["device_code"].as_str().unwrap().to_owned();
    assert_eq!(
        poll(code.clone()).await.json::<Value>().await.unwrap()["error"],
        "authorization_pending"
    );
    let user_code = waiting["user_code"].as_str().unwrap();
    let allow = [("user_code", user_code), ("decision", "allow")];
    assert_eq!(
        alice
            .request(Method::POST, "/device")
            .form(&allow)
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    server.advance(std::time::Duration::from_secs(5));
    let issued = poll(code).await.json::<Value>().await.unwrap();
    let token = issued["refresh_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{issued}"));
    let renewed = home
        .post(
            "/auth/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await;
    assert_eq!(renewed.status(), 200);
    assert_eq!(
        home.ask("/auth/device", &[]).await.0,
        200,
        "its name is enough for a code"
    );
}
