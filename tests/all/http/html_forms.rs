//! The HTML forms. When a browser sends a wrong value, the page appears again and shows the error
//! in words.

use reqwest::{Method, header};

use crate::{
    oauth::device_flow::{PendingDevice, device_flow_app},
    support::{CONSENT, Device, FLAGS, TestServer},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Posts a form as a browser. Returns the status, the media type and the body. In the body each run
/// of white space becomes one blank, because the line breaks of the page's source do not matter.
async fn post(browser: &Device, path: &str, form: &str) -> (u16, String, String) {
    let request = browser
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, FORM)
        .body(form.to_owned());
    let response = request.send().await.unwrap();
    let kind = response.headers()[header::CONTENT_TYPE]
        .to_str()
        .unwrap()
        .to_owned();
    let status = response.status().as_u16();
    let page = response.text().await.unwrap();
    let words: Vec<_> = page.split_whitespace().collect();
    (status, kind, words.join(" "))
}

/// The error that a page shows.
fn error(page: &str) -> &str {
    let (_, rest) = page
        .split_once("role=\"alert\">")
        .unwrap_or_else(|| panic!("{page}"));
    rest.split_once("</p>").unwrap().0
}

#[tokio::test]
async fn the_login_page_appears_again_with_the_error_in_words() {
    let server = TestServer::start().await;
    server
        .create_session("alice")
        .await
        .send("PASS :correct horse battery")
        .await;
    for (form, status, words) in [
        (
            "nick=alice&nick=bob&password=x",
            400,
            "The parameter nick appears more than once.",
        ),
        (
            "nick=alice&password=x&password=y",
            400,
            "The parameter password appears more than once.",
        ),
        (
            "nick=alice&password=x&next=/a&next=/b",
            400,
            "The parameter next appears more than once.",
        ),
        (
            "nick=alice&password=x&client_name=a&client_name=b",
            400,
            "The parameter client_name appears more than once.",
        ),
        (
            "nick=alice&password=x&replace=1&replace=2",
            400,
            "The parameter replace appears more than once.",
        ),
        (
            "nick=alice&password=x&replace=first",
            400,
            "The parameter replace must be the id of a client.",
        ),
        ("password=x", 400, "The parameter nick is missing."),
        ("nick=alice", 400, "The parameter password is missing."),
        ("nick=&password=", 400, "The parameter nick is missing."),
        (
            "nick=alice&password=x",
            401,
            "There is no session with this nick and this password.",
        ),
    ] {
        let browser = server.device();
        let (answered, kind, page) = post(&browser, "/login", form).await;
        assert_eq!(
            (answered, kind.as_str(), error(&page)),
            (status, "text/html; charset=utf-8", words),
            "{form}"
        );
        assert!(
            page.contains("action=\"/login\"") && !page.contains("value=\"x\""),
            "{form}: {page}"
        );
        let told = form.contains("nick=alice") && !form.contains("nick=bob");
        let kept = if told {
            "name=\"nick\" value=\"alice\""
        } else {
            "name=\"nick\" value=\"\""
        };
        assert!(page.contains(kept), "{form}: {page}");
    }
}

#[tokio::test]
async fn the_device_page_appears_again_with_the_error_in_words() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let code = format!("user_code={}", device.code);
    for (form, words, step) in [
        (
            format!("{code}&{code}"),
            "The parameter user_code appears more than once.",
            "name=\"user_code\" value=\"\"",
        ),
        (
            String::new(),
            "The parameter user_code is missing.",
            "name=\"user_code\" value=\"\"",
        ),
        (
            "decision=allow".into(),
            "The parameter user_code is missing.",
            "name=\"user_code\" value=\"\"",
        ),
        (
            format!("{code}&decision=allow&decision=deny"),
            "The parameter decision appears more than once.",
            "in front of",
        ),
        (
            format!("{code}&decision=perhaps"),
            "The parameter decision must be allow or deny.",
            "in front of you",
        ),
        (
            format!("{code}&decision=allow&where=chosen&where=x"),
            "The parameter where appears more than once.",
            "in front",
        ),
        (
            format!("{code}&decision=allow&where=here"),
            "The parameter where must be everywhere or chosen.",
            "in front of you",
        ),
    ] {
        let (status, kind, page) = post(&alice, "/device", &form).await;
        assert_eq!(
            (status, kind.as_str(), error(&page)),
            (400, "text/html; charset=utf-8", words),
            "{form}"
        );
        assert!(page.contains(step), "{form}: {page}");
    }
    // A browser that sends the cookies of two sessions gets the error in words, too.
    let bob = server.create_session("bob").await;
    let both = alice.with_cookie(
        &[&alice, &bob]
            .map(|device| device.cookie.clone().unwrap())
            .join("; "),
    );
    let (status, kind, page) = post(&both, "/device", &code).await;
    assert!(
        (status, kind.as_str()) == (400, "text/html; charset=utf-8")
            && error(&page).contains("cookies"),
        "{page}"
    );
    assert_eq!(device.refusal().await, "authorization_pending");
}

#[tokio::test]
async fn the_consent_page_appears_again_with_the_error_in_words() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &FLAGS).await,
    );
    let asking = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(app.authorization_request("identity"))
        .finish();
    for (more, words) in [
        ("", "The parameter decision must be allow or deny."),
        (
            "&decision=perhaps",
            "The parameter decision must be allow or deny.",
        ),
        (
            "&decision=allow&decision=deny",
            "The parameter decision appears more than once.",
        ),
        (
            "&decision=allow&where=chosen&where=everywhere",
            "The parameter where appears more than once.",
        ),
        (
            "&decision=allow&where=here",
            "The parameter where must be everywhere or chosen.",
        ),
    ] {
        let (status, kind, page) = post(&alice, CONSENT, &format!("{asking}{more}")).await;
        assert_eq!(
            (status, kind.as_str(), error(&page)),
            (400, "text/html; charset=utf-8", words),
            "{more}"
        );
        assert!(
            page.contains("action=\"/auth/consent\"") && page.contains(&app.client_id),
            "{more}: {page}"
        );
    }
    // An unknown app has no consent page, so the server answers with a page of the error alone.
    let (status, kind, page) =
        post(&alice, CONSENT, "client_id=a&client_id=b&decision=allow").await;
    assert!(
        (status, kind.as_str()) == (400, "text/html; charset=utf-8")
            && page.contains("more than once"),
        "{page}"
    );
    assert_eq!(server.rows("authorization_code"), 0);
}
