//! Random commands of several people with several devices, over real HTTP, against a plain model:
//! every answer, every queue, however it is read, and every snapshot are what the model says.
//!
//! `PROPTEST_CASES` sets how many cases; a failing one is shrunk, shown with its story, and kept in
//! `regressions.txt`.

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
        // A step of shrinking is a whole case: enough of them to be short, few enough to be waited
        // for.
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

/// What random cases have found, in the smallest form.
#[tokio::test]
async fn cases_that_once_failed() {
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
        // A mark at 0 is where it is without one.
        act(0, Act::MarkRead { target: 0, back: 9 }),
        // The limit is not taken for the key that is taken away.
        act(
            0,
            Act::Mode {
                channel: 0,
                changes: vec![Change::Key(None), Change::Limit(Some(3))],
            },
        ),
        Step::By(0, Deed::Snapshot),
        // Who is away already is away for the channel too.
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
