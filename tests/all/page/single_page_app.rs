//! An app that is only a page on another origin, in real Chromium. It signs its user in through a
//! window that it opens, and requests tokens and the user's identity by itself.

use axum::{
    Router,
    http::{StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{
    TestServer,
    browser::{Browsers, Window},
};

/// The app's page. Each button starts a new sign-in, and `#said` shows the result.
const PAGE: &str = r##"<!doctype html><meta charset="utf-8"><title>An app</title>
<button id="by-get">Sign in</button> <button id="by-post">Sign in by a form</button> <p id="said"></p>
<script type="module">
    const query = new URLSearchParams(location.search)
    const [base, clientId] = [query.get("base"), query.get("client_id")]
    const redirect = location.origin + "/done"
    const said = document.querySelector("#said")
    const url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
    const form = (fields) => new URLSearchParams({ client_id: clientId, ...fields })
    const post = async (path, fields) => (await fetch(base + path, { method: "POST", body: form(fields) })).json()
    let verifier

    async function authorization_request() {
        verifier = url(crypto.getRandomValues(new Uint8Array(32)))
        const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))
        return { response_type: "code", redirect_uri: redirect, scope: "identity", state: "s",
            code_challenge: url(new Uint8Array(hash)), code_challenge_method: "S256" }
    }

    document.querySelector("#by-get").onclick = async () => {
        said.textContent = ""
        open(`${base}/auth/authorize?${form(await authorization_request())}`)
    }

    document.querySelector("#by-post").onclick = async () => {
        said.textContent = ""
        const sent = document.createElement("form")
        // A window opened by a name keeps its opener. One opened by _blank does not.
        Object.assign(sent, { method: "post", action: base + "/auth/authorize", target: "sign-in" })
        for (const [name, value] of form(await authorization_request())) {
            const field = document.createElement("input")
            Object.assign(field, { type: "hidden", name, value })
            sent.append(field)
        }
        document.body.append(sent)
        sent.submit()
    }

    // The opened window has come back to the app's origin and sends this message.
    onmessage = async ({ data }) => {
        try {
            const told = new URLSearchParams(data)
            const tokens = await post("/auth/token", { grant_type: "authorization_code", code: told.get("code"),
                redirect_uri: redirect, code_verifier: verifier })
            const bearer = { headers: { Authorization: "Bearer " + tokens.access_token } }
            const user = await (await fetch(base + "/auth/userinfo", bearer)).json()
            const posted = await (await fetch(base + "/auth/userinfo", { method: "POST", ...bearer })).json()
            const metadata = await (await fetch(base + "/.well-known/oauth-authorization-server")).json()
            const fresh = await post("/auth/token", { grant_type: "refresh_token", refresh_token: tokens.refresh_token })
            const api = await fetch(base + "/api/v1/server", bearer).then(() => "open", () => "closed")
            await fetch(base + "/auth/revoke", { method: "POST", body: form({ token: fresh.access_token }) })
            const ended = await fetch(base + "/auth/userinfo", { headers: { Authorization: "Bearer " + fresh.access_token } })
            said.textContent = [user.nick, posted.nick, metadata.issuer === told.get("iss"), api, ended.status,
                ended.headers.get("WWW-Authenticate")].join(" ")
        } catch (error) {
            said.textContent = String(error)
        }
    }
</script>"##;
/// The last page in the opened window. It sends the result to the app's page and closes.
const ARRIVED: &str = "<!doctype html><meta charset=utf-8><title>Signed in</title>
<script>opener.postMessage(location.search, '*'); close()</script>";

/// The app's host. Its callback redirects to another origin.
async fn app() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = async move |uri: Uri| -> Response {
        let on = format!(
            "http://127.0.0.1:{port}/arrived?{}",
            uri.query().unwrap_or_default()
        );
        (StatusCode::FOUND, [(header::LOCATION, on)]).into_response()
    };
    let site = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/done", get(done))
        .route("/arrived", get(|| async { Html(ARRIVED) }));
    (
        port,
        tokio::spawn(async move { axum::serve(listener, site).await.unwrap() }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_signs_its_user_in_by_itself() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let (port, _site) = app().await;
    let registered = server
        .app(
            "A page",
            &["--public", "--redirect-uri", "http://localhost/done"],
        )
        .await;
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("base", &server.url(""))
        .append_pair("client_id", &registered.client_id)
        .finish();
    page.goto(&format!("http://localhost:{port}/?{query}"))
        .await;
    let said = "alice alice true closed 401 Bearer error=\"invalid_token\"";

    // The user logs in and consents in the opened window, which then returns to the app.
    page.click("#by-get").await;
    let own = page.to_opened_tab().await;
    page.types("#nick", "alice").await;
    page.types("#password", "correct horse battery\n").await;
    page.says("h1", "Let A page in?").await;
    page.click("[value=allow]").await;
    page.back_to_tab(own).await;
    page.says("#said", said).await;

    // A form from another origin carries no cookie. The server redirects it to a GET, which carries
    // the cookie, so the user is known.
    page.click("#by-post").await;
    let own = page.to_opened_tab().await;
    page.says("main", "You are logged in as alice").await;
    page.click("[value=allow]").await;
    page.back_to_tab(own).await;
    page.says("#said", said).await;
    assert_eq!(
        alice.get("/api/v1/grants").await,
        json!([]),
        "the page revoked each grant"
    );
}
