//! The server's metadata, how apps authenticate, and what an app may request.

use super::*;

#[tokio::test]
async fn the_metadata_lists_what_exists() {
    let server = TestServer::start().await;
    let key = server
        .create_session("alice")
        .await
        .create_key("chat:read identity")
        .await;
    let metadata = server
        .device()
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(metadata["issuer"], server.url(""));
    assert_eq!(metadata["scopes_supported"], json!(SCOPES));
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let known = json!([
        "authorization_code",
        "client_credentials",
        "refresh_token",
        device
    ]);
    assert_eq!(metadata["grant_types_supported"], known);
    for endpoint in [
        "token_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
    ] {
        let path = metadata[endpoint]
            .as_str()
            .unwrap()
            .strip_prefix(&server.url(""))
            .unwrap();
        let (status, body) = key
            .ask(
                path,
                &[("grant_type", "client_credentials"), ("token", "x")],
            )
            .await;
        assert_eq!(status, 200, "{endpoint} {body}");
    }
    let userinfo = metadata["userinfo_endpoint"]
        .as_str()
        .unwrap()
        .strip_prefix(&server.url(""))
        .unwrap();
    key.token("").await.get(userinfo).await;
    let public = TestServer::with(&["--public-url", "https://chat.example"]).await;
    let metadata = public
        .device()
        .with_host("chat.example")
        .get("/.well-known/oauth-authorization-server")
        .await;
    assert_eq!(metadata["issuer"], "https://chat.example");
}

/// A public app has no secret. An empty secret counts as none, in the form and in Basic (RFC 6749
/// §2.3.1).
#[tokio::test]
async fn a_public_app_authenticates_with_an_empty_secret_in_the_form_or_in_basic() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app("native", &[&FLAGS[..], &["--public", "--device"]].concat())
        .await;
    let own = server
        .app("own", &[&FLAGS[..], &["--device"]].concat())
        .await;
    let mut refresh = app.refresh_token_for(&alice, "identity").await;
    let basic = Some(("", true));
    for (header, body) in [
        (None, None),
        (None, Some("")),
        (basic, None),
        (Some(("", false)), None),
    ] {
        let ask = async |path: &str, params: &[(&str, &str)]| {
            let mut form = params.to_vec();
            let mut request = server.device().request(Method::POST, path);
            if let Some((secret, alone)) = header {
                request = request.basic_auth(&app.client_id, Some(secret));
                if !alone {
                    form.push(("client_id", &app.client_id));
                }
            } else {
                form.push(("client_id", &app.client_id));
            }
            form.extend(body.map(|secret| ("client_secret", secret)));
            let response = request.form(&form).send().await.unwrap();
            (
                response.status().as_u16(),
                response.json::<Value>().await.unwrap_or_default(),
            )
        };
        let (status, tokens) = ask(
            "/auth/token",
            &[("grant_type", "refresh_token"), ("refresh_token", &refresh)],
        )
        .await;
        assert_eq!(status, 200, "{header:?} {body:?} {tokens}");
        refresh = tokens["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(
            ask("/auth/device", &[("scope", "identity")]).await.0,
            200,
            "{header:?} {body:?}"
        );
        assert_eq!(
            ask("/auth/revoke", &[("token", "rja_unknown")]).await.0,
            200,
            "{header:?} {body:?}"
        );
    }
    // A confidential app cannot authenticate without its secret, and a public app cannot with one.
    for (id, secret) in [(&own.client_id, ""), (&app.client_id, "rjk_x")] {
        let request = server
            .device()
            .request(Method::POST, "/auth/device")
            .basic_auth(id, Some(secret));
        assert_eq!(
            request
                .form(&[("scope", "identity")])
                .send()
                .await
                .unwrap()
                .status(),
            401,
            "{secret:?}"
        );
    }
}

/// OAUTH.md, "Apps": an app can use only the flows for which it was registered.
#[tokio::test]
async fn an_app_cannot_use_a_flow_for_which_it_was_not_registered() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let bare = server.app("bare", &[]).await;
    let (web, tv) = (
        server.app("web", &FLAGS).await,
        server.app("tv", &["--public", "--device"]).await,
    );
    let (key, code) = (alice.create_key("identity").await, ("code", "rjc_x"));
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    for (case, app, has_code, has_device) in [
        ("no flow", &bare, false, false),
        ("the code flow", &web, true, false),
        ("the device flow", &tv, false, true),
        ("an API key", &key, false, false),
    ] {
        let error = async |path: &str, params: &[(&str, &str)]| {
            let (status, body) = app.ask(path, params).await;
            assert!(status == 400 || body["error"].is_null(), "{status} {body}");
            body["error"].as_str().unwrap_or_default().to_owned()
        };
        let expected = |has: bool, otherwise: &str| {
            if has {
                otherwise
            } else {
                "unauthorized_client"
            }
            .to_owned()
        };
        let redeemed = [
            ("grant_type", "authorization_code"),
            code,
            ("code_verifier", VERIFIER),
        ];
        assert_eq!(
            error("/auth/token", &redeemed).await,
            expected(has_code, "invalid_grant"),
            "{case}"
        );
        let polled = [("grant_type", device), ("device_code", "rjd_x")];
        assert_eq!(
            error("/auth/token", &polled).await,
            expected(has_device, "invalid_grant"),
            "{case}"
        );
        assert_eq!(
            error("/auth/device", &[("scope", "identity")]).await,
            expected(has_device, ""),
            "{case}"
        );
        assert_eq!(
            alice
                .open_authorization(&app.authorization_request("identity"))
                .await
                .status
                == 200,
            has_code,
            "{case}"
        );
    }
    for app in [&bare, &web, &key] {
        assert_eq!(
            app.try_token("").await.0,
            200,
            "each confidential app has client credentials"
        );
    }
    assert_eq!(tv.try_token("").await.1["error"], "unauthorized_client");
    // Without --scope it may request only the usual scopes.
    for (scope, status) in [
        ("chat:read chat:write identity", 200),
        ("chat:moderate", 400),
        ("session:manage", 400),
    ] {
        assert_eq!(
            tv.ask("/auth/device", &[("scope", scope)]).await.0,
            status,
            "{scope}"
        );
        assert_eq!(bare.try_token(scope).await.0, status, "{scope}");
    }
}
