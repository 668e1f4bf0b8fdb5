//! Codes that are presented again: what they end, and which devices are told.

use super::*;

/// A stranger may have seen a used code and a public app's client_id in a log or in a browser's
/// history.
#[tokio::test]
async fn a_used_code_ends_nothing_without_the_app_the_redirect_uri_and_the_verifier() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, other) = (native(&server).await, server.app("other", &FLAGS).await);
    let code = alice
        .approve(&app.authorization_request("chat:read"), &[])
        .await
        .code();
    let (_, tokens) = app.redeem(&code).await;
    let program = app
        .program
        .with_token(tokens["access_token"].as_str().unwrap());
    let wrong_verifier = "x".repeat(43);
    let tries: [&[(&str, &str)]; 4] = [
        &[
            ("redirect_uri", REDIRECT),
            ("code_verifier", &wrong_verifier),
        ],
        &[("code_verifier", &wrong_verifier)],
        &[("code_verifier", VERIFIER)],
        &[
            ("redirect_uri", "https://app.example/other"),
            ("code_verifier", VERIFIER),
        ],
    ];
    for more in tries {
        let form = [
            &[
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
            ],
            more,
        ]
        .concat();
        assert_eq!(
            error(&app.ask("/auth/token", &form).await),
            "invalid_grant",
            "{more:?}"
        );
    }
    assert_eq!(error(&other.redeem(&code).await), "invalid_grant");
    program.snapshot().await;
    let audit = alice.get("/api/v1/audit").await;
    assert!(
        audit
            .items()
            .iter()
            .all(|line| line["action"] != "reuse_detected"),
        "{audit}"
    );

    // With all of them, two parties had the code. The code made the grant, so the grant ends, and
    // the audit log records where the request came from.
    assert_eq!(error(&app.redeem(&code).await), "invalid_grant");
    assert!(program.token_is_invalid().await);
    let audit = alice.get("/api/v1/audit").await;
    let reuse = audit
        .items()
        .iter()
        .find(|line| line["action"] == "reuse_detected")
        .unwrap();
    assert_eq!(reuse["address"], "127.0.0.1");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_reused_code_ends_only_what_it_issued_and_resource_servers_are_told() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, api) = (
        server.app("wiki", &FLAGS).await,
        server.app("api", &["--resource-server"]).await,
    );
    let first = app.sign_in(&alice, "identity").await;
    let code = alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    let (_, second) = app.redeem(&code).await;
    let (_, third) = app
        .refresh(second["refresh_token"].as_str().unwrap(), "")
        .await;
    let token = |tokens: &Value| {
        app.program
            .with_token(tokens["access_token"].as_str().unwrap())
    };
    let jti = async |tokens: &Value| {
        api.introspect(&token(tokens)).await["jti"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut expected = vec![jti(&second).await, jti(&third).await];
    assert!(!expected.contains(&jti(&first).await));
    let response = api
        .token("")
        .await
        .request(Method::GET, "/auth/grants/events")
        .send()
        .await
        .unwrap();
    let mut feed = Stream::of(response);

    assert_eq!(error(&app.redeem(&code).await), "invalid_grant");
    let mut told = Vec::new();
    while told.len() < 2 {
        let frame = feed.frame().await.expect("the stream goes on");
        let field = |name: &str| {
            frame
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        };
        match field("event").as_deref() {
            Some("token_ended") => {
                let data: Value = serde_json::from_str(&field("data").unwrap()).unwrap();
                assert_eq!(data["grant_id"], grants(&alice).await[0]["id"]);
                told.push(data["jti"].as_str().unwrap().to_owned());
            }
            Some("grant_ended") => panic!("{frame:?}"),
            _ => {}
        }
    }
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    for ended in [&second, &third] {
        assert_eq!(
            api.introspect(&token(ended)).await,
            json!({"active": false})
        );
        let refresh = app
            .refresh(ended["refresh_token"].as_str().unwrap(), "")
            .await;
        assert_eq!(refresh.1["error"], "invalid_grant");
    }
    assert_eq!(api.introspect(&token(&first)).await["active"], true);
    assert_eq!(
        app.refresh(first["refresh_token"].as_str().unwrap(), "")
            .await
            .0,
        200
    );
    assert_integrity(&server.database());
}

/// The notices to the devices about reused codes and tokens since the last call.
async fn thefts(alice: &Device) -> Vec<String> {
    let told = alice
        .drain()
        .await
        .into_iter()
        .filter(|message| message.command == "NOTICE");
    told.map(|notice| params(&notice)[1].to_owned())
        .filter(|text| text.contains("a second time"))
        .collect()
}

/// The notice is that of a stolen refresh token. It is sent once, and never for a guess.
#[tokio::test]
async fn the_devices_are_told_of_a_reused_code() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let (native, wiki) = (native(&server).await, server.app("wiki", &FLAGS).await);
    wiki.sign_in(&alice, "identity").await;
    // The first code made its grant, and the second joined a grant.
    for (app, scope) in [(&native, "chat:read"), (&wiki, "identity")] {
        let code = alice
            .approve(&app.authorization_request(scope), &[])
            .await
            .code();
        assert_eq!(app.redeem(&code).await.0, 200);
        let guess = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("code_verifier", VERIFIER),
        ];
        assert_eq!(
            error(&app.ask("/auth/token", &guess).await),
            "invalid_grant"
        );
        for device in [&alice, &phone] {
            assert_eq!(
                thefts(device).await,
                [] as [String; 0],
                "the redirect URI was missing"
            );
        }
        for _ in 0..3 {
            assert_eq!(error(&app.redeem(&code).await), "invalid_grant");
        }
        for device in [&alice, &phone] {
            let [told] = &thefts(device).await[..] else {
                panic!("it was not reported exactly once")
            };
            assert!(
                told.contains(if scope == "identity" {
                    "the app wiki"
                } else {
                    "the app native"
                }),
                "{told}"
            );
            assert!(told.contains("from an IPv4 address"), "{told}");
        }
    }
    assert_eq!(
        server.rows("audit WHERE action = 'reuse_detected' AND address IS NOT NULL"),
        2
    );
    assert_eq!(
        grants(&alice).await.len(),
        1,
        "the grant that was joined goes on"
    );
}

#[tokio::test]
async fn a_refresh_token_is_active_to_its_own_app_alone() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, api) = (
        server.app("wiki", &FLAGS).await,
        server.app("api", &["--resource-server"]).await,
    );
    let (other, tokens) = (
        server.app("other", &FLAGS).await,
        app.sign_in(&alice, "identity").await,
    );
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for hint in [None, Some("refresh_token"), Some("access_token"), Some("x")] {
        let params = [
            Some(("token", refresh)),
            hint.map(|hint| ("token_type_hint", hint)),
        ];
        let params = params.into_iter().flatten().collect::<Vec<_>>();
        for stranger in [&api, &other] {
            assert_eq!(
                stranger.ask("/auth/introspect", &params).await,
                (200, json!({"active": false})),
                "{hint:?}"
            );
        }
        let (_, own) = app.ask("/auth/introspect", &params).await;
        assert_eq!(
            (&own["active"], own.get("jti")),
            (&json!(true), None),
            "{hint:?}"
        );
        // It has all fields of an active token, but its type is not that of an access token.
        for member in [
            "scope",
            "client_id",
            "username",
            "sub",
            "exp",
            "iat",
            "iss",
            "grant_id",
        ] {
            assert!(
                own[member].is_string() || own[member].is_i64(),
                "{member}: {own}"
            );
        }
        assert_eq!(own["token_type"], "N_A");
        let access = app
            .program
            .with_token(tokens["access_token"].as_str().unwrap());
        assert_eq!(app.introspect(&access).await["token_type"], "Bearer");
    }
}
