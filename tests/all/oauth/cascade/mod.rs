//! Random issuing, refreshing, revoking, removing and ending, over real HTTP, against a plain
//! model: no token ever works whose grant, app, key, client or session is gone, and every other
//! does; the audit log tells of all of it, neither more nor less.
//!
//! `PROPTEST_CASES` sets how many cases; a failing one is shrunk, shown with its story, and kept in
//! `regressions.txt`.

mod flows;
mod model;
mod steps;
mod world;

use proptest::{prelude::*, test_runner::FileFailurePersistence};

use steps::Step;
use world::World;

const CASES: u32 = 16;

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(CASES),
        max_shrink_iters: 500,
        max_shrink_time: 60_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/all/oauth/cascade/regressions.txt",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn nothing_works_whose_ground_is_gone(steps in prop::collection::vec(steps::step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}

async fn run(steps: &[Step]) {
    let mut world = World::start().await;
    for step in steps {
        world.step(step).await;
        world.check().await;
    }
    world.restart().await;
    world.check().await;
    world.check_audit().await;
}
