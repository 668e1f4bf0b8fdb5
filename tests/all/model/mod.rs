//! Random commands of several sessions with several devices over real HTTP, against a plain model.
//! Every answer, every snapshot and every queue in each delivery mode must equal the model's.
//!
//! `PROPTEST_CASES` sets the number of cases. A failing case is shrunk, printed with its story, and
//! kept in `regressions.txt`.

mod check;
mod commands;
mod state;
mod steps;
mod view;
mod world;

use proptest::{prelude::*, test_runner::FileFailurePersistence};

use steps::{Act, Change, Deed, Step};
use world::{Check, World};

const CASES: u32 = 32;

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(CASES),
        // Each step of shrinking runs a whole case. This many make a case short without taking too
        // long.
        max_shrink_iters: 2000,
        max_shrink_time: 120_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/all/model/regressions.txt",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn the_server_does_what_the_model_says(case in steps::case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&case.0))?;
    }
}

/// Cases that random runs have found, in their smallest form.
#[tokio::test]
async fn cases_that_failed_before() {
    let act = |who, act| Step::By(who, Deed::Do { label: false, act });
    let join = |who| {
        act(
            who,
            Act::Join {
                channels: vec![0],
                key: None,
            },
        )
    };
    let case = [
        Step::Create { nick: 0 },
        join(0),
        // A read marker at 0 is the same as none.
        act(0, Act::MarkRead { target: 0, back: 9 }),
        // The argument of `+l` must not be taken for the key that `-k` removes.
        act(
            0,
            Act::Mode {
                channel: 0,
                changes: vec![Change::Key(None), Change::Limit(Some(3))],
            },
        ),
        Step::By(0, Deed::Snapshot),
        // A session that is away when it joins is shown as away on the channel.
        Step::Create { nick: 1 },
        act(1, Act::Away { text: true }),
        join(1),
    ];
    run(&case).await.unwrap();
}

async fn run(steps: &[Step]) -> Check {
    let mut world = World::start().await;
    let told = async {
        for step in steps {
            world.step(step).await?;
        }
        world.check().await?;
        world.restart().await?;
        world.check().await?;
        world.check_nicks().await
    };
    told.await.map_err(|error| match error {
        TestCaseError::Fail(reason) => {
            TestCaseError::fail(format!("{reason}\n{}", world.story.join("\n")))
        }
        rejected => rejected,
    })
}
