//! The documentation's shell snippets, pasted into bash in an empty folder. Each runs twice, and
//! all run in one folder.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Process, docs};

/// A reader who follows the documentation, with an empty folder and a server.
struct Reader {
    folder: TempDir,
    server: Process,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Process::start(&folder.path().join("rejoin.db"), &[]);
        Self { folder, server }
    }

    /// Pastes a snippet. Returns what it prints.
    fn paste(&self, info: &str) -> String {
        let script = docs::replace(
            &docs::snippet(info),
            "http://127.0.0.1:8080",
            &self.server.base,
        );
        let database = self.folder.path().join("rejoin.db");
        let output = docs::bash(&script, self.folder.path(), &database)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && complaints.is_empty(),
            "{info}: {complaints}"
        );
        assert!(
            !printed.contains("problem") && !printed.contains("about:blank"),
            "{info}: {printed}"
        );
        printed
    }

    fn tour(&self) {
        let printed = self.paste("bash tour");
        let page = printed.rsplit("{\"messages\"").next().unwrap();
        assert!(
            page.contains("\"command\":\"QUIT\",\"params\":[\"good bye\"]"),
            "{page}"
        );
        assert_eq!(
            printed.matches("hello both of you").count(),
            2,
            "on the phone, and in bob's own queue\n{printed}"
        );
    }

    fn bot(&self) {
        let printed = self.paste("bash bot");
        let page = printed.rsplit("{\"messages\"").next().unwrap();
        assert!(
            page.contains("version 7 is out") && page.contains("\"app\":\"deploy-bot\""),
            "{printed}"
        );
        let cookie = std::fs::read_to_string(self.folder.path().join("alice")).unwrap();
        assert!(cookie.contains("rejoin"), "alice's cookie is lost");
    }

    /// Runs the renewal of a bot's session. Returns the session and the device that it renewed.
    fn renew(&self) -> Value {
        let printed = self.paste("bash renew");
        let entered: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        assert_eq!(entered["session"]["nick"], "robot");
        assert_eq!(entered["session"]["has_password"], true);
        assert_eq!(entered["client"]["name"], "keeper");
        entered
    }

    fn resource_server(&self) {
        let printed = self.paste("bash resource-server");
        let introspected: Value = printed
            .lines()
            .find(|line| line.contains("\"active\":true"))
            .map(|line| serde_json::from_str(line).unwrap())
            .unwrap();
        assert_eq!(introspected["username"], "alice");
        let end = printed.split("event: grant_ended\nid: ").nth(1).unwrap();
        let (_, data) = end.split_once('\n').unwrap();
        let grant = &introspected["grant_id"];
        assert_eq!(
            data,
            format!("data: {{\"grant_id\":{grant},\"reason\":\"revoked\"}}\n\n"),
            "{printed}"
        );
    }
}

#[test]
fn the_tour_works_as_written_and_twice() {
    let reader = Reader::new();
    reader.tour();
    reader.tour();
}

#[test]
fn the_bot_works_as_written_and_twice() {
    let reader = Reader::new();
    reader.bot();
    reader.bot();
}

#[test]
fn the_resource_server_works_as_written_and_twice() {
    let reader = Reader::new();
    reader.resource_server();
    reader.resource_server();
}

#[test]
fn the_renewal_works_as_written_and_renews_one_device() {
    let reader = Reader::new();
    let (first, second) = (reader.renew(), reader.renew());
    assert_eq!(first["session"]["id"], second["session"]["id"]);
    assert_eq!(first["client"]["id"], second["client"]["id"]);
    assert_ne!(
        first["client"]["expires_at"],
        second["client"]["expires_at"]
    );
}

#[test]
fn all_snippets_work_together_in_one_folder() {
    let reader = Reader::new();
    reader.bot();
    reader.renew();
    reader.tour();
    reader.resource_server();
    reader.bot();
    reader.resource_server();
    reader.tour();
}

#[test]
fn every_block_names_its_language_and_every_shell_snippet_is_valid() {
    for (path, page) in docs::pages() {
        for docs::Block { info, code } in docs::blocks(&page) {
            let language = info.split(' ').next().unwrap();
            assert!(!language.is_empty(), "{path}: {code}");
            if !["sh", "bash"].contains(&language) {
                continue;
            }
            let checked = Command::new(language)
                .args(["-n", "-c", &code])
                .output()
                .unwrap();
            assert!(checked.status.success(), "{path}: {code}");
        }
    }
}
