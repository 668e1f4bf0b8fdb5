//! A page on another origin attacks a session in a real browser, and has no effect.

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};

use crate::support::{
    Device, Message, Page, TestServer,
    browser::{Browsers, Window},
    until,
};

/// A hostile site. By its address it is another port of the same host. The browser counts that as
/// the same site and sends the cookies. By its name it is another site.
async fn hostile() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = Router::new().route(
        "/",
        get(|| async { Html("<!doctype html><title>Elsewhere</title><p>Hello") }),
    );
    (
        port,
        tokio::spawn(async move { axum::serve(listener, page).await.unwrap() }),
    )
}

/// Every way in which a page can make the browser send a request: simple requests, preflighted
/// requests, reads, streams, and forms that target frames. Returns everything the page could read.
const ATTACK: &str = r##"
    const [base, said, done] = arguments;
    const all = { credentials: "include" };
    const text = { method: "POST", headers: { "Content-Type": "text/plain" }, ...all };
    const read = async (path, options) => {
        try {
            const response = await fetch(base + path, { ...all, ...options });
            return response.type === "opaque" ? null : await response.text();
        } catch { return null; }
    };
    const stream = () => new Promise((over) => {
        const source = new EventSource(base + "/api/v1/events", { withCredentials: true });
        source.onmessage = ({ data }) => over(data);
        source.onopen = () => over("open");
        source.onerror = () => over(null);
    });
    const form = (path, fields, enctype = "") => new Promise((over) => {
        const frame = document.createElement("iframe");
        frame.name = "f" + Math.random();
        const form = document.createElement("form");
        Object.assign(form, { action: base + path, method: "POST", target: frame.name });
        if (enctype) form.enctype = enctype;
        for (const [name, value] of Object.entries(fields)) {
            const input = document.createElement("input");
            Object.assign(input, { name, value });
            form.append(input);
        }
        document.body.append(frame, form);
        frame.onload = () => over(null);
        form.submit();
    });
    (async () => {
        const got = [];
        got.push(await read("/api/v1/messages", { ...text, body: "PRIVMSG #rust :from elsewhere", mode: "no-cors" }));
        got.push(await read("/api/v1/messages", { ...text, body: "PRIVMSG #rust :from elsewhere" }));
        got.push(await read("/api/v1/messages", { method: "POST", body: '{"command":"QUIT"}',
            headers: { "Content-Type": "application/json" } }));
        got.push(await read("/api/v1/session", { method: "DELETE" }));
        got.push(await read("/api/v1/clients", { method: "DELETE" }));
        got.push(await read("/api/v1/session"));
        got.push(await read("/api/v1/messages?timeout=0"));
        got.push(await read("/api/v1/messages?timeout=0&after=" + said, { mode: "no-cors" }));
        got.push(await read("/api/v1/audit"));
        got.push(await stream());
        got.push(await form("/login", { nick: "mallory", password: "correct horse battery" }));
        got.push(await form("/logout", {}));
        got.push(await form("/api/v1/logout", {}));
        got.push(await form("/api/v1/messages", { "PRIVMSG #rust :from elsewhere": "" }, "text/plain"));
        got.push(await form("/api/v1/messages", { '{"command":"PRIVMSG","params":["#rust","from elsewhere"],"x":"': '"}' },
            "text/plain"));
        const image = new Image();
        image.src = base + "/api/v1/messages?timeout=0&after=" + said;
        await new Promise((over) => { image.onerror = image.onload = over; });
        done(got);
    })();
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_on_another_origin_can_do_nothing_and_read_nothing() {
    let server = TestServer::start().await;
    let (port, _site) = hostile().await;
    let base = server.url("");
    let [bob, mallory] = server.sessions_on("#rust", ["bob", "mallory"]).await;
    mallory.send("PASS :correct horse battery").await;
    bob.snapshot().await;

    let browsers = Browsers::take_turn().await;
    let browser = browsers.open(Window::Desktop).await;
    browser.goto(&base).await;
    browser.types("#nick", "alice\n").await;
    browser.shows("#composer").await;
    browser.types("#composer", "/join #rust\n").await;
    browser.says("#channels", "#rust").await;
    // The state that an attack would change: alice's session by her cookie, her queue, and the
    // messages that bob receives.
    let cookie = browser.cookie("rejoin").await;
    let alice = server.device().with_cookie(&format!("rejoin={cookie}"));
    browser.goto("about:blank").await;
    let said = bob.send("PRIVMSG #rust :hello alice").await["ids"][0].clone();
    bob.drain().await;
    let before = state(&alice, &bob).await;

    for site in [
        format!("http://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
    ] {
        browser.goto(&site).await;
        let got = browser
            .run_async(ATTACK, vec![base.clone().into(), said.clone()])
            .await;
        assert_eq!(
            got,
            Value::from(vec![Value::Null; 15]),
            "from {site} it could read something"
        );
        assert_eq!(state(&alice, &bob).await, before, "{site}");

        // The page cannot show our pages in a frame. It can navigate the browser to the queue, but
        // that acknowledges nothing, and the page cannot read the result.
        browser
            .run(
                "document.body.innerHTML = `<iframe src='${arguments[0]}'></iframe>`",
                vec![base.clone().into()],
            )
            .await;
        until("the frame to load", async || {
            browser.frame_address().await != "about:blank"
        })
        .await;
        assert_eq!(
            browser.frame_address().await,
            "chrome-error://chromewebdata/"
        );
        let follow =
            "location.href = `${arguments[0]}/api/v1/messages?timeout=0&after=${arguments[1]}`";
        browser
            .run(follow, vec![base.clone().into(), said.clone()])
            .await;
        browser.says("body", "\"messages\":[]").await;
        assert_eq!(state(&alice, &bob).await, before, "{site}");
    }

    // The browser still has alice's session, and our own page may send all these requests.
    browser.goto(&base).await;
    assert_eq!(browser.cookie("rejoin").await, cookie);
    browser.shows("#composer").await;
    browser.says("#messages", "hello alice").await;
}

async fn state(alice: &Device, bob: &Device) -> (Value, Page, Vec<Message>) {
    let mut snapshot = alice.snapshot().await;
    // The snapshot itself is a use of the device, so the time of use differs.
    snapshot["client"]["seen_at"] = json!(null);
    (snapshot, alice.poll("timeout=0").await, bob.queue().await)
}
