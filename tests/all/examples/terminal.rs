//! The terminal example as its user sees it: its output and its input.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    oauth::device_flow::{allow, decide, device_flow_app},
    support::{Device, JsonAnswer, TEST_TIMEOUT, TestServer, assert_integrity, until},
};

struct Terminal {
    process: Child,
    said: mpsc::UnboundedReceiver<String>,
}

impl Terminal {
    fn start(server: &TestServer, client_id: &str) -> Self {
        let tests = env::current_exe().unwrap();
        let program = tests
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("examples/terminal");
        let mut process = Command::new(program)
            .args([
                "--server",
                &server.url(""),
                "--client-id",
                client_id,
                "--channel",
                "#rust",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`cargo build --examples` builds it, as `cargo test` without --test does");
        let (to, said) = mpsc::unbounded_channel();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            lines
                .map_while(Result::ok)
                .try_for_each(|line| to.send(line))
        });
        Self { process, said }
    }

    /// Waits for a line that contains this text.
    async fn says(&mut self, text: &str) -> String {
        loop {
            let line = timeout(TEST_TIMEOUT, self.said.recv()).await;
            let line = line
                .ok()
                .flatten()
                .unwrap_or_else(|| panic!("it never said {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn code(&mut self) -> String {
        let line = self.says("type the code").await;
        line.split([' ', ','])
            .find(|word| word.len() == 9 && word.contains('-'))
            .unwrap()
            .to_owned()
    }

    fn types(&mut self, line: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits until the program has ended by itself. Returns its status.
    async fn ended(mut self) -> ExitStatus {
        while timeout(TEST_TIMEOUT, self.said.recv())
            .await
            .expect("the program is still running")
            .is_some()
        {}
        self.process.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn hears(person: &Device, text: &str) {
    until(text, async || {
        person
            .queue()
            .await
            .iter()
            .any(|message| message.text() == Some(text))
    })
    .await;
}

/// All three run at the same time, because each waits for five seconds before it asks for the
/// decision.
#[tokio::test]
async fn a_terminal_joins_by_its_code_and_reports_a_denial_or_removal() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    bob.send("JOIN #rust").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read chat:write").await;
    let [mut terminal, mut another, mut denied] =
        [0; 3].map(|_| Terminal::start(&server, &app.client_id));
    allow(&alice, &terminal.code().await).await;
    allow(&alice, &another.code().await).await;
    decide(&alice, &denied.code().await, "deny").await;
    denied.says("This terminal was denied.").await;
    assert!(!denied.ended().await.success());
    terminal.says("You are in").await;
    terminal.says("* #rust End of").await;
    another.says("You are in").await;

    // A message from each side arrives on the other.
    bob.send("PRIVMSG #rust :hello terminal").await;
    for terminal in [&mut terminal, &mut another] {
        assert_eq!(
            terminal.says("hello terminal").await,
            "#rust <bob> hello terminal"
        );
    }
    terminal.types("hello bob");
    hears(&bob, "hello bob").await;
    assert_eq!(
        bob.queue().await.last().unwrap().app.as_deref(),
        Some("terminal")
    );
    assert_eq!(another.says("hello bob").await, "#rust <alice> hello bob");
    bob.try_send_json(json!({"command": "PRIVMSG", "params": ["#rust", "\u{1b}[2Jboo"]}))
        .await
        .unwrap();
    assert_eq!(
        terminal.says("boo").await,
        "#rust <bob> \u{fffd}[2Jboo",
        "no other program moves its cursor"
    );
    terminal.types("/join #tea");
    another.says("* alice JOIN #tea").await;
    terminal.types("anyone?");
    another.says("#tea <alice> anyone?").await;
    terminal.types("/kick #rust bob");
    terminal.says("requires the scope").await;

    // The terminal renews a token that has expired.
    server.advance(Duration::from_mins(11));
    terminal.types("/privmsg #rust :still here");
    hears(&bob, "still here").await;
    assert_eq!(server.rows("audit WHERE action = 'grant_refreshed'"), 1);

    // Ctrl-D leaves the chat but keeps the device. Removing the device ends the terminal.
    drop(another.process.stdin.take());
    another.says("Good bye.").await;
    assert!(another.ended().await.success());
    let clients = alice.get("/api/v1/clients").await;
    assert_eq!(
        (clients.items().len(), &clients[1]["name"]),
        (2, &json!("terminal"))
    );
    alice
        .delete(&format!("/api/v1/clients/{}", clients[1]["id"]))
        .await
        .unwrap();
    terminal
        .says("This terminal was removed from the session.")
        .await;
    assert!(!terminal.ended().await.success());
    assert_integrity(&server.database());
}
