//! Random issues, refreshes, revocations, removals and ends over real HTTP, against a plain model.
//! A token works exactly as long as its grant, app, key, client and session are live. The audit log
//! has exactly the actions of the model.
//!
//! `PROPTEST_CASES` sets the number of cases. A failing case is shrunk, printed with its story, and
//! kept in `regressions.txt`.

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
    fn no_token_outlives_what_it_depends_on(steps in prop::collection::vec(steps::step(), 1..40)) {
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
