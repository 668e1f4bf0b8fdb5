//! The README's shell, pasted into one in an empty folder.

use std::process::Command;

use crate::support::Process;

/// What the shell under this heading says.
fn run(heading: &str) -> String {
    let readme = include_str!("../../README.md");
    let script = readme.split(&format!("```sh {heading}\n")).nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(&folder.path().join("rejoin.db"), &[]);
    let script = format!("set -euo pipefail\n{}", script.replace("http://127.0.0.1:8080", &server.base));
    let output = Command::new("bash").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
    let (said, complaints) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    assert!(!said.contains("problem") && !said.contains("about:blank"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_works_as_it_is_written() {
    let said = run("tour");
    let page = said.rsplit("{\"messages\"").next().unwrap();
    assert!(page.contains("\"command\":\"QUIT\",\"params\":[\"good bye\"]"), "{page}");
    assert_eq!(said.matches("hello both of you").count(), 2, "on the phone, and in bob's own queue\n{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_works_as_it_is_written() {
    let said = run("bot");
    let page = said.rsplit("{\"messages\"").next().unwrap();
    assert!(page.contains("version 7 is out") && page.contains("\"app\":\"deploy-bot\""), "{said}");
}
