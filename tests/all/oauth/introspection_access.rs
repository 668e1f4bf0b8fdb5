//! Introspection requires the app's credentials or an access token of the app's own.

use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use crate::support::{App, Device, FLAGS, TestServer, rejoin};

const INTROSPECT: &str = "/auth/introspect";
const EVENTS: &str = "/auth/grants/events";

/// Introspects a token with the caller's own token, and with further fields in the form.
async fn ask(by: &Device, of: &Device, more: &[(&str, &str)]) -> (u16, Value) {
    let form = [&[("token", of.token.as_deref().unwrap())], more].concat();
    let response = by
        .request(Method::POST, INTROSPECT)
        .form(&form)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The schemes that a refusal offers, and the error that the first one names.
fn offered(response: &Response) -> Vec<String> {
    assert_eq!(response.status(), 401);
    let lines = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
    lines
        .map(|line| line.to_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_apps_own_access_token_is_enough() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, api) = (
        server.app("wiki", &FLAGS).await,
        server.app("api", &["--resource-server"]).await,
    );
    let other = server.app("other", &FLAGS).await;
    let user = app.user(&alice, "identity").await;
    let (own, of_api, of_other) = (
        app.token("").await,
        api.token("").await,
        other.token("").await,
    );
    let expected = app.introspect(&user).await;
    assert_eq!(
        (&expected["active"], &expected["username"]),
        (&json!(true), &json!("alice"))
    );
    for (case, by, client_id) in [
        ("the app", &own, &app.client_id),
        ("a resource server", &of_api, &api.client_id),
    ] {
        assert_eq!(ask(by, &user, &[]).await, (200, expected.clone()), "{case}");
        assert_eq!(
            ask(by, &user, &[("client_id", client_id)]).await,
            (200, expected.clone()),
            "{case}"
        );
    }
    assert_eq!(
        ask(&of_other, &user, &[]).await,
        (200, json!({"active": false})),
        "it is unknown to that app"
    );
    assert_eq!(ask(&own, &own, &[]).await.1["client_id"], app.client_id);
    // Credentials may be sent by one method only.
    assert_eq!(
        ask(&own, &user, &[("client_id", &other.client_id)]).await.1["error"],
        "invalid_request"
    );
    let two = ask(
        &own,
        &user,
        &[
            ("client_id", &app.client_id),
            ("client_secret", &app.secret),
        ],
    )
    .await;
    assert_eq!((two.0, &two.1["error"]), (400, &json!("invalid_request")));
    assert_eq!(
        own.request(Method::POST, INTROSPECT)
            .form(&[("x", "y")])
            .send()
            .await
            .unwrap()
            .status(),
        400
    );

    rejoin(&server.database(), &["app", "remove", &app.client_id])
        .await
        .unwrap();
    assert_eq!(
        ask(&own, &of_api, &[]).await.0,
        401,
        "it ended with its app"
    );
}

#[tokio::test]
async fn a_users_token_does_not_prove_the_app() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app(
            "wiki",
            &[&FLAGS[..], &["--bearer-alone", "--resource-server"]].concat(),
        )
        .await;
    let (user, key) = (
        app.user(&alice, "identity").await,
        alice.create_key("identity").await.token("").await,
    );
    for by in [
        &user,
        &key,
        &server.device().with_token("rja_made-up"),
        &server.device().with_token(""),
    ] {
        let response = by
            .request(Method::POST, INTROSPECT)
            .form(&[("token", "rja_x")])
            .send()
            .await
            .unwrap();
        assert_eq!(
            offered(&response),
            [
                "Bearer error=\"invalid_token\"",
                "Basic realm=\"rejoin\", charset=\"UTF-8\""
            ]
        );
        assert_eq!(
            response.json::<Value>().await.unwrap()["error"],
            "invalid_token"
        );
    }
}

/// A caller without a valid credential is told of both schemes.
#[tokio::test]
async fn a_401_offers_every_scheme() {
    let server = TestServer::start().await;
    let both = [
        "Basic realm=\"rejoin\", charset=\"UTF-8\"",
        "Bearer realm=\"rejoin\"",
    ];
    let visitor = server.device();
    for request in [
        visitor.request(Method::GET, EVENTS),
        visitor
            .request(Method::GET, EVENTS)
            .basic_auth("app_x", Some("rjk_x")),
        visitor
            .request(Method::POST, INTROSPECT)
            .form(&[("token", "x")]),
        visitor
            .request(Method::POST, INTROSPECT)
            .form(&[("token", "x"), ("client_id", "app_x")]),
    ] {
        assert_eq!(offered(&request.send().await.unwrap()), both);
    }
    let unknown = visitor
        .with_token("rja_x")
        .request(Method::GET, EVENTS)
        .send()
        .await
        .unwrap();
    assert_eq!(
        offered(&unknown),
        ["Bearer error=\"invalid_token\"", both[0]]
    );
    // Where only one scheme is possible, only that one is offered.
    let form = [("grant_type", "client_credentials"), ("client_id", "app_x")];
    let token = visitor.request(Method::POST, "/auth/token").form(&form);
    assert_eq!(offered(&token.send().await.unwrap()), both[..1]);
}

/// Made-up tokens count like made-up app names. A valid token is never delayed.
#[tokio::test]
async fn made_up_tokens_count_by_network() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let api = server.app("api", &["--resource-server"]).await;
    let own = api.token("").await;
    for path in [EVENTS, INTROSPECT] {
        let from = format!("198.51.100.{}", path.len());
        let call = async |device: &Device| {
            let device = device.at_address(&from);
            let request = match path {
                EVENTS => device.request(Method::GET, path),
                _ => device.request(Method::POST, path).form(&[("token", "x")]),
            };
            request.send().await.unwrap().status().as_u16()
        };
        for n in 0..60 {
            assert_eq!(
                call(&server.device().with_token(&format!("rja_{n}"))).await,
                401,
                "{path} {n}"
            );
        }
        assert_eq!(
            call(&server.device().with_token("rja_x")).await,
            429,
            "{path}"
        );
        assert_eq!(call(&server.device()).await, 429, "{path}");
        assert_eq!(call(&own).await, 200, "{path}");
    }
    let app = App {
        program: api.program.at_address("203.0.113.1"),
        ..api
    };
    assert_eq!(
        app.introspect(&own).await["active"],
        true,
        "other networks are not limited"
    );
}
