//! The example programs in Python, which use Rejoin through Authlib alone: the whole life of a bot,
//! and an app.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use reqwest::Method;
use serde_json::json;

use crate::support::{Message, TestServer, docs, until};

/// Debian's own Python, for which its packages are installed.
const PYTHON: &str = "/usr/bin/python3";

/// A running example program.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn bot(args: &[&str]) -> Self {
        let mut command = Command::new(PYTHON);
        command.arg(docs::root().join("examples/bot.py")).args(args);
        // Authlib otherwise requires https, even on loopback.
        Self::start(command.env("AUTHLIB_INSECURE_TRANSPORT", "1"))
    }

    /// Registers and starts the app in a folder, as the documentation says.
    fn app(server: &TestServer, folder: &Path, port: u16) -> Self {
        let script = docs::snippet("bash app");
        let script = docs::replace(&script, "http://127.0.0.1:8080", &server.url(""));
        let script = docs::replace(&script, " 8000\n", &format!(" {port}\n"));
        let examples = docs::root().join("examples");
        // `exec` replaces the shell by the program, so that the test can kill it.
        let python = format!("exec {PYTHON} {}/", examples.display());
        let script = docs::replace(&script, "python3 ../../examples/", &python);
        Self::start(&mut docs::bash(&script, folder, &server.database()))
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// The errors that the program printed before it ended.
    fn complaint(&mut self) -> String {
        std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_works_as_long_as_its_key() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#bots", ["alice", "bob"]).await;
    alice.send("JOIN #private").await;
    let mut wanted = json!({"name": "ping", "scope": "chat:read chat:write", "res": ["#bots"]});
    let key = alice.create_key_with(wanted.clone()).await;
    let start =
        |secret: &str, channel: &str| Program::bot(&[&alice.base, &key.client_id, secret, channel]);
    let answered = async |times: usize| {
        let pong = |page: &[Message]| {
            let pongs = page
                .iter()
                .filter(|m| m.params == ["#bots", "pong, bob"] && m.app.as_deref() == Some("ping"));
            pongs.count() >= times
        };
        until("the bot's answer", async || {
            pong(&bob.history("target=%23bots").await)
        })
        .await;
    };
    let mut bot = start(&key.secret, "#bots");
    server.wait_for_connections(1).await;
    bob.send("PRIVMSG #bots :!ping").await;
    answered(1).await;
    assert!(bot.is_running());

    // The bot is confined to its channel, so it cannot join another one.
    let mut outside = start(&key.secret, "#private");
    until("the refusal", async || !outside.is_running()).await;
    assert!(outside.complaint().contains("no such channel"));

    // The key is rotated. For a while the old secret works beside the new one.
    let path = format!("/api/v1/keys/{}", key.client_id);
    let rotated = alice
        .post(&format!("{path}/rotate"), json!({"overlap": 3600}))
        .await
        .unwrap();
    drop(bot);
    server.wait_for_connections(0).await;
    for (secret, times) in [
        (key.secret.as_str(), 2),
        (rotated["client_secret"].as_str().unwrap(), 3),
    ] {
        let bot = start(secret, "#bots");
        server.wait_for_connections(1).await;
        bob.send("PRIVMSG #bots :!ping").await;
        answered(times).await;
        drop(bot);
        server.wait_for_connections(0).await;
    }

    // A revocation ends the bot's stream. The list of keys shows that the revoked key was tried
    // again.
    let mut bot = start(rotated["client_secret"].as_str().unwrap(), "#bots");
    server.wait_for_connections(1).await;
    alice.call(Method::DELETE, &path).await.unwrap();
    until("the bot to give up", async || !bot.is_running()).await;
    assert!(bot.complaint().contains("revoked"));
    let mut again = start(rotated["client_secret"].as_str().unwrap(), "#bots");
    until("the bot to be refused", async || !again.is_running()).await;
    assert!(again.complaint().contains("invalid_client"));
    let remains = alice.keys().await;
    assert_eq!(
        (&remains[0]["client_id"], &remains[0]["tried"]),
        (&json!(key.client_id), &json!(1))
    );
    wanted["res"] = json!(["no channel"]);
    assert_eq!(
        alice.post("/api/v1/keys", wanted).await.unwrap_err().status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_greets_a_user_who_signs_in() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let folder = tempfile::tempdir().unwrap();
    let mut greeter = Program::app(&server, folder.path(), port);
    let own = crate::support::Device::new(format!("http://127.0.0.1:{port}"));
    until("the app to listen", async || {
        assert!(greeter.is_running(), "{}", greeter.complaint());
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
    })
    .await;
    for (decision, greeting) in [
        ("allow", "Hello alice"),
        ("deny", "Not signed in: access_denied"),
    ] {
        let begun = own.request(Method::GET, "/").send().await.unwrap();
        let header = |name| begun.headers()[name].to_str().unwrap().to_owned();
        let (asked, cookie) = (header("location"), header("set-cookie"));
        let query = asked
            .strip_prefix(&format!("{}/auth/authorize?", alice.base))
            .unwrap();
        let asking = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let landing = alice
            .decide_consent(&asking, &[("decision", decision)])
            .await;
        let back = landing.location.strip_prefix(&own.base).unwrap();
        // Another browser lacks the cookie of this login, so the app refuses its callback.
        let stranger = own
            .request(Method::GET, "/done?state=x&code=x")
            .send()
            .await
            .unwrap();
        assert_eq!(stranger.status(), 400);
        let own = own.with_cookie(cookie.split(';').next().unwrap());
        let done = own.request(Method::GET, back).send().await.unwrap();
        assert_eq!(done.text().await.unwrap(), greeting, "{decision}");
    }
}
