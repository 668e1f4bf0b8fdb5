//! Malformed token requests: each is refused with its reason.

use super::*;

#[tokio::test]
async fn a_malformed_token_request_is_refused_with_its_reason() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let App {
        client_id: id,
        secret,
        program,
    } = alice.create_key("chat:read").await;
    let good = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    const FORM: &str = "application/x-www-form-urlencoded";
    let basic = |id: &str, secret: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    };
    let own = basic(&id, &secret);
    // Every character may be percent-encoded (RFC 6749 §2.3.1).
    let coded = |text: &str| {
        text.bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>()
    };
    let grant = "grant_type=client_credentials";
    for (case, authorization, kind, body, expected) in [
        ("credentials in the form", "", FORM, good.clone(), ""),
        ("credentials by Basic", &own, FORM, grant.into(), ""),
        (
            "Basic in any case",
            &own.replacen("Basic", "bAsIc", 1),
            FORM,
            grant.into(),
            "",
        ),
        (
            "every character as its code",
            &basic(&coded(&id), &coded(&secret)),
            FORM,
            grant.into(),
            "",
        ),
        (
            "the name in the form, too",
            &own,
            FORM,
            format!("{grant}&client_id={id}"),
            "",
        ),
        (
            "a form with its character set",
            "",
            "application/x-www-form-urlencoded; charset=UTF-8",
            good.clone(),
            "",
        ),
        (
            "an unknown parameter",
            "",
            FORM,
            format!("{good}&unknown=1"),
            "",
        ),
        ("an empty scope", "", FORM, format!("{good}&scope="), ""),
        (
            "no grant type",
            "",
            FORM,
            format!("client_id={id}&client_secret={secret}"),
            "invalid_request",
        ),
        (
            "an empty grant type",
            "",
            FORM,
            format!("grant_type=&client_id={id}&client_secret={secret}"),
            "invalid_request",
        ),
        (
            "the grant type twice",
            "",
            FORM,
            format!("{good}&{grant}"),
            "invalid_request",
        ),
        (
            "the scope twice",
            "",
            FORM,
            format!("{good}&scope=chat:read&scope=chat:read"),
            "invalid_request",
        ),
        (
            "an empty scope and another",
            "",
            FORM,
            format!("{good}&scope=&scope=chat:read"),
            "invalid_request",
        ),
        (
            "an unknown parameter twice",
            "",
            FORM,
            format!("{good}&unknown=1&unknown=2"),
            "invalid_request",
        ),
        (
            "the name twice",
            "",
            FORM,
            format!("{good}&client_id={id}"),
            "invalid_request",
        ),
        (
            "JSON",
            "",
            "application/json",
            json!({"grant_type": "client_credentials"}).to_string(),
            "invalid_request",
        ),
        ("text", "", "text/plain", good.clone(), "invalid_request"),
        ("no media type", "", "", good.clone(), "invalid_request"),
        (
            "a secret in both places",
            &own,
            FORM,
            good.clone(),
            "invalid_request",
        ),
        (
            "two names",
            &own,
            FORM,
            format!("{grant}&client_id=app_x"),
            "invalid_request",
        ),
        (
            "the password grant",
            "",
            FORM,
            good.replace("client_credentials", "password"),
            "unsupported_grant_type",
        ),
        (
            "a byte too many",
            "",
            FORM,
            format!("{good}x"),
            "invalid_client",
        ),
        (
            "another spelling of the name",
            "",
            FORM,
            good.replace("app_", "app-"),
            "invalid_client",
        ),
        (
            "no secret",
            "",
            FORM,
            format!("{grant}&client_id={id}"),
            "invalid_client",
        ),
        (
            "an empty secret",
            "",
            FORM,
            format!("{grant}&client_id={id}&client_secret="),
            "invalid_client",
        ),
        (
            "no name",
            "",
            FORM,
            format!("{grant}&client_secret={secret}"),
            "invalid_client",
        ),
        (
            "a name of 5,000 characters",
            "",
            FORM,
            format!("{grant}&client_id={}&client_secret=x", "i".repeat(5000)),
            "invalid_client",
        ),
        (
            "a colon after the secret",
            &basic(&id, &format!("{secret}:x")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "half a code of a character",
            &basic(&id, &format!("{secret}%")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "a NUL after the secret",
            &basic(&id, &format!("{secret}%00")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "a colon after the name",
            &basic(&format!("{id}%3A"), &secret),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "an empty secret by Basic",
            &basic(&id, ""),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        ("Basic alone", "Basic", FORM, grant.into(), "invalid_client"),
        (
            "Basic that is not base64",
            "Basic ???",
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "the credentials as a bearer token",
            &own.replacen("Basic", "Bearer", 1),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            "the secret as a bearer token",
            &format!("Bearer {secret}"),
            FORM,
            good.clone(),
            "invalid_client",
        ),
    ] {
        let mut request = program
            .request(Method::POST, "/auth/token")
            .body(body.clone());
        for (name, value) in [
            (header::AUTHORIZATION, authorization),
            (header::CONTENT_TYPE, kind),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        let status = if expected.is_empty() {
            200
        } else if expected == "invalid_client" {
            401
        } else {
            400
        };
        assert_eq!(
            header_of(&response, header::CACHE_CONTROL),
            "no-store",
            "{case}"
        );
        assert_eq!(
            header_of(&response, header::CONTENT_TYPE),
            "application/json",
            "{case}"
        );
        assert_eq!(
            header_of(&response, header::WWW_AUTHENTICATE).starts_with("Basic"),
            status == 401,
            "{case}"
        );
        let answered = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(
            (answered, answer["error"].as_str().unwrap_or_default()),
            (status, expected),
            "{case}"
        );
        assert!(
            !answer["error_description"].to_string().contains(&secret),
            "{case}"
        );
    }
    for query in ["client_secret=x", &good, "x"] {
        let path = format!("/auth/token?{query}");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
        ];
        let response = program
            .request(Method::POST, &path)
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(
            response.json::<Value>().await.unwrap()["error"],
            "invalid_request",
            "{query}"
        );
    }
    // A cookie beside the credentials is ignored.
    let response = alice
        .request(Method::POST, "/auth/token")
        .header(header::CONTENT_TYPE, FORM)
        .body(good);
    assert_eq!(response.send().await.unwrap().status(), 200);
}
