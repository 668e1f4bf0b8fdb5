//! Floods of malformed requests and of unknown names.

use super::*;

/// A malformed form that no app would send counts like any other failure.
#[tokio::test]
async fn malformed_requests_count_too() {
    let server = server().await;
    let stranger = server.device().at_address("192.0.2.1");
    let post = async || {
        let form = [("grant_type", "password"), ("grant_type", "twice")];
        stranger
            .request(Method::POST, "/auth/token")
            .form(&form)
            .send()
            .await
            .unwrap()
    };
    for n in 0..BURST {
        assert_eq!(post().await.status(), 400, "{n}");
    }
    too_many(post().await).await;
}

/// A flood of unknown names writes a bounded number of lines to the log, and one line to the audit
/// log.
#[tokio::test]
async fn a_flood_of_unknown_names_is_one_line_of_the_audit() {
    let server = server().await;
    let stranger = server.device().at_address("192.0.2.1");
    let before = server.rows("audit");
    for _ in 0..3 {
        let flood = (0..BURST).map(|n| {
            let stranger = stranger.clone();
            async move {
                ask(
                    &stranger,
                    "/auth/token",
                    ENDPOINTS[0].1,
                    &format!("made-up-{n}"),
                    "x",
                    By::Post,
                )
                .await
            }
        });
        join_all(flood).await;
    }
    assert_eq!(
        (
            server.rows("audit") - before,
            server.rows("audit WHERE reason = 'apps'")
        ),
        (1, 1)
    );
}

/// Requests that lead to a page of approval count against the same limit, by link, by form and by
/// the page's own answer. The page of a known app appears even when the network has reached the
/// limit.
#[tokio::test]
async fn unknown_names_on_the_way_to_a_page_count_too() {
    let server = server().await;
    let app = server.app("wiki", &FLAGS).await;
    let alice = server.create_session("alice").await.at_address("192.0.2.1");
    let visit = async |n: usize, name: &str, value: &str| {
        let asking = with_param(&app.authorization_request("identity"), name, Some(value));
        let request = match n % 3 {
            0 => alice.request(Method::GET, &authorization_path(&asking)),
            1 => alice.request(Method::POST, "/auth/authorize").form(&asking),
            _ => alice.request(Method::POST, CONSENT).form(&asking),
        };
        request.send().await.unwrap()
    };
    for n in 0..BURST {
        let (name, value) = if n % 2 == 0 {
            ("client_id", "app_made_up")
        } else {
            ("redirect_uri", "https://x.example/")
        };
        assert_eq!(visit(n, name, value).await.status(), 400, "{n}");
    }
    for n in 0..3 {
        let refused = visit(n, "client_id", "app_another").await;
        assert_eq!(
            (
                refused.status().as_u16(),
                &refused.headers()[header::RETRY_AFTER]
            ),
            (429, &"10".parse().unwrap())
        );
        let page = refused.text().await.unwrap();
        assert!(
            page.contains("Please wait") && page.contains("try again in 10 s"),
            "{page}"
        );
    }
    let known = ENDPOINTS[0].1;
    too_many(
        ask(
            &server.device().at_address("192.0.2.1"),
            "/auth/token",
            known,
            "app_x",
            "rjk_x",
            By::Basic,
        )
        .await,
    )
    .await;
    assert_eq!(
        alice
            .open_authorization(&app.authorization_request("identity"))
            .await
            .status,
        200
    );
    alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    let elsewhere = with_param(
        &app.authorization_request("identity"),
        "client_id",
        Some("app_made_up"),
    );
    assert_eq!(
        alice
            .at_address("192.0.2.2")
            .open_authorization(&elsewhere)
            .await
            .status,
        400
    );
}
