//! The service itself: health, metrics, its information about itself, its stop, and its OpenAPI
//! description.

use std::{collections::BTreeSet, io::Read};

use flate2::read::GzDecoder;
use reqwest::{Method, header};
use serde_json::Value;

use crate::support::{JsonAnswer, Process, TestServer};

mod serving;

#[tokio::test]
async fn the_server_describes_itself_and_its_health() {
    let server = TestServer::with(&["--max-clients", "7"]).await;
    let visitor = server.device();
    let about = visitor.get("/api/v1/server").await;
    assert_eq!(
        (&about["name"], &about["limits"]["clients"]),
        (&"rejoin.server".into(), &7.into())
    );
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
    let healthz = visitor
        .request(Method::GET, "/healthz")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            healthz.status().as_u16(),
            healthz.text().await.unwrap().as_str()
        ),
        (200, "ok\n")
    );
    server
        .create_session("alice")
        .await
        .send("JOIN #rust")
        .await;
    let metrics = visitor
        .request(Method::GET, "/metrics")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "rejoin_sessions 1",
        "rejoin_clients 1",
        "rejoin_commands_total 1",
        "rejoin_http_requests_total{status=\"201\"} 1",
    ] {
        assert!(
            metrics.lines().any(|l| l == line),
            "{line} is not in\n{metrics}"
        );
    }
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let description = alice.get("/openapi.json").await;
    let mut paths: Vec<_> = description["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|path| {
            path.replace("{id}", "0")
                .replace("{client_id}", "app_x")
                .replace("{name}", "app.js")
        })
        .collect();
    paths.extend(["/nowhere".into(), "/api/v1/nowhere".into()]);
    for path in paths {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            let path = if path == "/api/v1/messages" {
                format!("{path}?timeout=0")
            } else {
                path.clone()
            };
            let response = server
                .device()
                .request(method.clone(), &path)
                .send()
                .await
                .unwrap();
            let headers = response.headers();
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(
                policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
                "{method} {path}"
            );
            assert_eq!(
                headers[header::X_CONTENT_TYPE_OPTIONS],
                "nosniff",
                "{method} {path}"
            );
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{method} {path}");
            assert_eq!(
                headers[header::REFERRER_POLICY],
                "same-origin",
                "{method} {path}"
            );
            // An app may open the login in a window of its own. The pages on that way have no
            // opener policy, so the app keeps its reference to the window.
            let page = path.split('?').next().unwrap();
            let signs_in =
                ["/login", "/device", "/auth/authorize", "/auth/consent"].contains(&page);
            assert_eq!(
                headers.contains_key("cross-origin-opener-policy"),
                !signs_in,
                "{method} {path}"
            );
            assert_eq!(
                policy.contains("form-action 'self'"),
                !signs_in,
                "{method} {path}"
            );
            for (name, value) in [
                ("cross-origin-resource-policy", "same-origin"),
                (
                    "permissions-policy",
                    "camera=(), geolocation=(), microphone=()",
                ),
            ] {
                assert_eq!(headers[name], value, "{method} {path}: {name}");
            }
            assert!(
                headers.contains_key(header::CACHE_CONTROL),
                "{method} {path}"
            );
            let open = [
                "/auth/token",
                "/auth/revoke",
                "/auth/introspect",
                "/auth/userinfo",
            ]
            .contains(&page)
                || page == "/.well-known/oauth-authorization-server";
            assert_eq!(
                headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                open,
                "{method} {path}"
            );
            assert!(
                response.status().as_u16() < 500,
                "{method} {path} {}",
                response.status()
            );
        }
    }
}

/// Compares the OpenAPI description with the server. Every listed endpoint exists, no other
/// endpoint does, and every answer has the fields of its schema.
#[tokio::test]
async fn the_description_is_true() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    alice.create_key("chat:read").await.token("").await;
    let description = alice.get("/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    let expected = [
        "/",
        "/.well-known/change-password",
        "/.well-known/oauth-authorization-server",
        "/api/v1/approvals/{client_id}",
        "/api/v1/audit",
        "/api/v1/channels",
        "/api/v1/clients",
        "/api/v1/clients/{id}",
        "/api/v1/events",
        "/api/v1/grants",
        "/api/v1/grants/{id}",
        "/api/v1/history",
        "/api/v1/keys",
        "/api/v1/keys/{client_id}",
        "/api/v1/keys/{client_id}/rotate",
        "/api/v1/login",
        "/api/v1/logout",
        "/api/v1/messages",
        "/api/v1/server",
        "/api/v1/session",
        "/api/v1/socket",
        "/assets/{name}",
        "/auth/authorize",
        "/auth/consent",
        "/auth/grants/events",
        "/auth/device",
        "/auth/introspect",
        "/auth/revoke",
        "/auth/token",
        "/auth/userinfo",
        "/device",
        "/healthz",
        "/login",
        "/login/code",
        "/logout",
        "/metrics",
        "/openapi.json",
    ];
    assert_eq!(
        paths.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        BTreeSet::from(expected)
    );
    let text = description.to_string();
    for reference in text
        .split("\"$ref\":\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            description.pointer(reference).is_some(),
            "there is no {reference}"
        );
    }
    for (path, operations) in paths {
        let operations = operations.as_object().unwrap();
        let listed: BTreeSet<_> = operations
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        for (status, answer) in operations
            .values()
            .flat_map(|operation| operation["responses"].as_object().unwrap())
        {
            assert!(
                answer["description"].is_string(),
                "OpenAPI wants {path} {status} to be described"
            );
        }
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let address = path
                .replace("{id}", "0")
                .replace("{client_id}", "app_x")
                .replace("{name}", "app.js");
            let request = server.device().request(method.parse().unwrap(), &address);
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert_eq!(
                status != 405,
                listed.contains(method),
                "{method} {path} is {status}"
            );
            if status == 405 {
                // RFC 9110 §15.5.6: a 405 lists the allowed methods. HEAD is allowed wherever GET
                // is.
                let allowed = answer.headers()[header::ALLOW]
                    .to_str()
                    .unwrap()
                    .split(',')
                    .filter(|m| *m != "HEAD");
                assert_eq!(
                    allowed.map(str::to_owned).collect::<BTreeSet<_>>(),
                    listed,
                    "{path}"
                );
            }
        }
    }
    for (path, query) in [
        ("/api/v1/session", ""),
        ("/api/v1/clients", ""),
        ("/api/v1/messages", "?timeout=0"),
        ("/api/v1/history", "?target=%23rust"),
        ("/api/v1/channels", ""),
        ("/api/v1/server", ""),
        ("/api/v1/keys", ""),
        ("/api/v1/grants", ""),
        ("/.well-known/oauth-authorization-server", ""),
    ] {
        let schema = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{path} has no schema");
        fits(
            &description,
            schema,
            &alice.get(&format!("{path}{query}")).await,
            path,
        );
    }
}

/// Asserts that a value has all required fields of its schema and no unknown field.
fn fits(description: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => description.pointer(&reference[1..]).unwrap(),
        None => schema,
    };
    let nullable = schema["type"]
        .as_array()
        .is_some_and(|types| types.contains(&"null".into()));
    if nullable && value.is_null() {
        return;
    }
    if let Some(items) = schema.get("items") {
        for (n, item) in value
            .as_array()
            .unwrap_or_else(|| panic!("{place} is no list"))
            .iter()
            .enumerate()
        {
            fits(description, items, item, &format!("{place}/{n}"));
        }
    } else if let Some(properties) = schema["properties"].as_object() {
        let object = value
            .as_object()
            .unwrap_or_else(|| panic!("{place} is no object"));
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(
                object.contains_key(required.as_str().unwrap()),
                "{place} lacks {required}"
            );
        }
        for (name, value) in object {
            let property = properties
                .get(name)
                .unwrap_or_else(|| panic!("{place}/{name} is not in the schema"));
            fits(description, property, value, &format!("{place}/{name}"));
        }
    }
}
