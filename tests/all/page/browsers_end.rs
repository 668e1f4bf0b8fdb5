//! The tests' own browsers end with a test that fails and with a run that is killed.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use tokio::sync::oneshot;

use crate::support::{
    browser::{Browsers, Window},
    until,
};

/// A test run prints this before the folder of its browser's profile.
const OPENED: &str = "opened ";

/// The number of processes whose command line contains a text.
fn processes(text: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap();
    // A process that ends meanwhile has no command line.
    let commands =
        processes.filter_map(|process| fs::read(process.unwrap().path().join("cmdline")).ok());
    let named = |command: &Vec<u8>| String::from_utf8_lossy(command).contains(text);
    commands.filter(named).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_leaves_no_browser_behind() {
    let (opened, profile) = oneshot::channel();
    let failing = tokio::spawn(async {
        let browsers = Browsers::take_turn().await;
        let page = browsers.open(Window::Desktop).await;
        let profile = page.profile().display().to_string();
        assert!(processes(&profile) > 0);
        opened.send(profile).unwrap();
        panic!("as a test does that fails");
    });
    assert!(failing.await.unwrap_err().is_panic());
    let profile = profile.await.unwrap();
    until("the browser to end", async || processes(&profile) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_no_browser_behind() {
    let _turn = Browsers::take_turn().await;
    let mut run = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("page::browsers_end::opens_a_browser_and_waits")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let profile = lines.find_map(|line| Some(line.unwrap().split_once(OPENED)?.1.to_owned()));
    let profile = profile.expect("it opens a browser");
    assert!(processes(&profile) > 0);
    run.kill().unwrap();
    run.wait().unwrap();
    until("the browser to end", async || processes(&profile) == 0).await;
    until("its profile to be removed", async || {
        !fs::exists(&profile).unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test of a run that is killed runs it"]
async fn opens_a_browser_and_waits() {
    let page = Browsers::take_turn().await.open(Window::Desktop).await;
    println!("{OPENED}{}", page.profile().display());
    std::future::pending::<()>().await;
}
