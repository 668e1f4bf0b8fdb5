//! The README's shell, pasted into one in an empty folder.

use std::process::Command;

use crate::support::{Process, register};

/// What the shell under this heading says, where an app is registered whose credentials stand in it
/// as `app_…:rjk_…`.
async fn run(heading: &str) -> String {
    let readme = include_str!("../../../README.md");
    let script = readme
        .split(&format!("```sh {heading}\n"))
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(&folder.path().join("rejoin.db"), &[]);
    let api = register(
        &folder.path().join("rejoin.db"),
        "api",
        &["--resource-server"],
    )
    .await;
    let text = |name: &str| api[name].as_str().unwrap();
    let script = script.replace(
        "app_…:rjk_…",
        &format!("'{}:{}'", text("client_id"), text("client_secret")),
    );
    let script = format!(
        "set -euo pipefail\n{}",
        script.replace("http://127.0.0.1:8080", &server.base)
    );
    let output = Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(folder.path())
        .output()
        .unwrap();
    let (said, complaints) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        output.status.success() && complaints.is_empty(),
        "{complaints}"
    );
    assert!(
        !said.contains("problem") && !said.contains("about:blank"),
        "{said}"
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_works_as_it_is_written() {
    let said = run("tour").await;
    let page = said.rsplit("{\"messages\"").next().unwrap();
    assert!(
        page.contains("\"command\":\"QUIT\",\"params\":[\"good bye\"]"),
        "{page}"
    );
    assert_eq!(
        said.matches("hello both of you").count(),
        2,
        "on the phone, and in bob's own queue\n{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_works_as_it_is_written() {
    let said = run("bot").await;
    let page = said.rsplit("{\"messages\"").next().unwrap();
    assert!(
        page.contains("version 7 is out") && page.contains("\"app\":\"deploy-bot\""),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resource_server_works_as_it_is_written() {
    let said = run("resource-server").await;
    let ends = said.split("event: grant_ended\n").nth(1).unwrap();
    assert_eq!(
        ends, "id: 1\ndata: {\"grant_id\":1,\"reason\":\"revoked\"}\n\n",
        "{said}"
    );
    assert!(
        said.contains("\"username\":\"alice\"") && said.contains("\"grant_id\":1"),
        "{said}"
    );
}
