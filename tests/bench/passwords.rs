//! Password verifications, library against library, on one thread each.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rejoin::{
    model::{Network, Password},
    password::{Hasher, Verdict},
};

use super::table::{Goal, Rounds, Table};

const MEASURE: &str = "password verifications, 1 thread";
const AGAINST: &str = "libargon2, same parameters";
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(1);
/// The verifications that are queued at a time: one runs, and the others wait.
const WAITING: usize = 4;

pub async fn measure(table: &mut Table) {
    let program = concat!(env!("CARGO_TARGET_TMPDIR"), "/libargon2");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/libargon2.c");
    let mut compile = Command::new("cc");
    compile
        .args(["-O3", source, "-o", program, "-largon2"])
        .stderr(Stdio::null());
    if !compile.status().is_ok_and(|status| status.success()) {
        return table.skip(MEASURE, AGAINST, "there is no cc, or no libargon2-dev");
    }
    let hasher = Hasher::start(1).unwrap();
    let here = Network::of([127, 0, 0, 1].into());
    let password = Password::new("correct horse battery");
    let hash = hasher.hash(here, password.clone()).await.unwrap();
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let workers = (0..WAITING).map(|_| async {
            let mut count = 0;
            while started.elapsed() < TIME {
                let verdict = hasher
                    .verify(here, password.clone(), Some(hash.clone()))
                    .await
                    .unwrap();
                assert_eq!(verdict, Verdict::Right);
                count += 1;
            }
            count
        });
        let count: u32 = join_all(workers).await.into_iter().sum();
        let ours = f64::from(count) / started.elapsed().as_secs_f64();
        let output = Command::new(program)
            .arg(hash.as_phc())
            .arg("correct horse battery")
            .output()
            .unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        rounds.add(
            ours,
            theirs
                .trim()
                .parse()
                .expect("libargon2 says how many it verified a second"),
        );
    }
    table.enter(MEASURE, AGAINST, "/s", &rounds, Goal::AtLeast(1.0));
}
