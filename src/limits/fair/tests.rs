use std::{collections::VecDeque, pin::Pin};

use futures_util::future::poll_immediate;
use proptest::prelude::*;

use super::{line::REMEMBERED, *};
use crate::model::SessionId;

const BOUNDS: Bounds = Bounds {
    permits: 1,
    permits_of_one: 1,
    waiting_of_one: 100,
    waiting: 1000,
    burst: Duration::ZERO,
};
const MS: Duration = Duration::from_millis(1);

type Entering = Pin<Box<dyn Future<Output = Result<Turn<u8>, Full>>>>;

/// Callers of a few networks. The test tells each when to enter, to give up and to finish.
struct Callers {
    fair: Fair<u8>,
    waiting: VecDeque<(u8, Entering)>,
    running: Vec<Turn<u8>>,
    refused: Vec<u8>,
}

impl Callers {
    fn new(bounds: Bounds) -> Self {
        Self {
            fair: Fair::new(bounds),
            waiting: VecDeque::new(),
            running: Vec::new(),
            refused: Vec::new(),
        }
    }

    async fn enter(&mut self, network: u8) {
        let fair = self.fair.clone();
        // Without tokio's budget. Once it is used up, a task sees no future as ready.
        let entering = tokio::task::unconstrained(async move { fair.enter(network, None).await });
        self.waiting.push_back((network, Box::pin(entering)));
        self.poll().await;
    }

    /// Receives the permits that were given and the refusals.
    async fn poll(&mut self) {
        // Twice, because a caller that joins the line may push another one out.
        for _ in 0..2 {
            for (network, mut entering) in std::mem::take(&mut self.waiting) {
                match poll_immediate(&mut entering).await {
                    Some(Ok(turn)) => self.running.push(turn),
                    Some(Err(_)) => self.refused.push(network),
                    None => self.waiting.push_back((network, entering)),
                }
            }
        }
    }

    /// Ends the oldest turn. Returns its network.
    async fn finish(&mut self, cost: impl Fn(u8) -> Duration) -> u8 {
        let turn = self.running.remove(0);
        let network = turn.key;
        turn.finish(cost(network));
        self.poll().await;
        network
    }

    fn running(&self, network: u8) -> usize {
        self.running
            .iter()
            .filter(|turn| turn.key == network)
            .count()
    }

    fn waiting(&self, network: u8) -> usize {
        self.waiting.iter().filter(|(of, _)| *of == network).count()
    }
}

#[tokio::test]
async fn a_free_turn_is_taken_at_once_but_never_before_a_waiting_caller() {
    let fair = Fair::new(Bounds {
        permits: 3,
        permits_of_one: 2,
        ..BOUNDS
    });
    let turns = [1, 1].map(|network| fair.try_enter(&network).unwrap());
    assert!(
        fair.try_enter(&1).is_none(),
        "it has as many as it may have"
    );
    let mut waiting = Box::pin(fair.enter(1, None));
    assert!(poll_immediate(&mut waiting).await.is_none());
    let other = fair.try_enter(&2).unwrap();
    assert!(fair.try_enter(&3).is_none(), "no permits are left");
    drop(other);
    drop(turns);
    let turn = waiting.await.unwrap();
    assert_eq!(fair.busy(), 1);
    drop(turn);
    assert_eq!(fair.busy(), 0);
}

#[tokio::test]
async fn networks_take_turns_however_many_callers_each_has() {
    let mut callers = Callers::new(BOUNDS);
    for network in [1; 50].into_iter().chain([2; 3]).chain([3; 3]) {
        callers.enter(network).await;
    }
    let mut order = Vec::new();
    for _ in 0..10 {
        order.push(callers.finish(|_| MS).await);
    }
    assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]);
}

#[tokio::test]
async fn a_network_with_expensive_turns_waits_for_those_with_cheap_ones() {
    let mut callers = Callers::new(BOUNDS);
    for network in [1; 50].into_iter().chain([2; 50]) {
        callers.enter(network).await;
    }
    let mut dear = 0;
    for _ in 0..44 {
        dear += usize::from(
            callers
                .finish(|network| if network == 1 { 20 * MS } else { MS })
                .await
                == 1,
        );
    }
    assert!(
        (2..=4).contains(&dear),
        "{dear} turns of twenty times the cost, 40 of the others"
    );
}

#[tokio::test]
async fn an_idle_network_saves_nothing_up_and_owes_nothing() {
    let mut callers = Callers::new(BOUNDS);
    for _ in 0..40 {
        callers.enter(1).await;
        callers.finish(|_| 100 * MS).await;
    }
    // The first network has used four seconds while no other network wanted a turn.
    for network in [1; 10].into_iter().chain([2; 10]) {
        callers.enter(network).await;
    }
    let mut order = Vec::new();
    for _ in 0..8 {
        order.push(callers.finish(|_| MS).await);
    }
    assert_eq!(
        order.iter().filter(|network| **network == 1).count(),
        4,
        "{order:?}"
    );
}

#[tokio::test]
async fn an_occasional_caller_goes_before_networks_that_are_always_busy() {
    let mut callers = Callers::new(Bounds {
        burst: 100 * MS,
        ..BOUNDS
    });
    for network in [1, 2, 3, 4] {
        for _ in 0..100 {
            callers.enter(network).await;
        }
    }
    for _ in 0..40 {
        callers.finish(|_| 10 * MS).await;
    }
    // Ten turns of ten milliseconds, each begun as soon as the last one ended. Each waits only for
    // the running turn.
    let mut before = Vec::new();
    for _ in 0..20 {
        callers.enter(5).await;
        let mut turns = 0;
        while callers.finish(|_| 10 * MS).await != 5 {
            turns += 1;
        }
        before.push(turns);
    }
    assert_eq!(before[..10], [1; 10], "{before:?}");
    // From now on it is one of five networks that are always busy.
    assert!(
        before[15..].iter().all(|turns| (3..=5).contains(turns)),
        "{before:?}"
    );
    // Four busy networks use a hundred milliseconds more each. After that it has its burst again.
    for _ in 0..60 {
        callers.finish(|_| 10 * MS).await;
    }
    callers.enter(5).await;
    callers.finish(|_| 10 * MS).await;
    assert_eq!(callers.running(5), 1);
}

#[tokio::test]
async fn one_network_leaves_permits_to_others() {
    let mut callers = Callers::new(Bounds {
        permits: 4,
        permits_of_one: 2,
        ..BOUNDS
    });
    for network in [1; 10].into_iter().chain([2]) {
        callers.enter(network).await;
    }
    assert_eq!((callers.running(1), callers.running(2)), (2, 1));
    callers.enter(2).await;
    callers.enter(2).await;
    assert_eq!((callers.running(1), callers.running(2)), (2, 2));
    assert_eq!(callers.fair.busy(), 13);
}

#[tokio::test]
async fn a_full_line_is_full_for_the_network_that_filled_it() {
    let mut callers = Callers::new(Bounds {
        waiting_of_one: 3,
        waiting: 5,
        ..BOUNDS
    });
    for network in [1, 1, 1, 1, 1, 2, 2] {
        callers.enter(network).await;
    }
    assert_eq!(
        (
            callers.waiting(1),
            callers.waiting(2),
            callers.refused.as_slice()
        ),
        (3, 2, [1].as_slice())
    );
    // The line is full. A newcomer takes the place of the network with most waiting callers, unless
    // its own network would then have as many.
    callers.enter(3).await;
    assert_eq!(
        (
            callers.waiting(1),
            callers.waiting(3),
            callers.refused.as_slice()
        ),
        (2, 1, [1, 1].as_slice())
    );
    callers.enter(3).await;
    assert_eq!(callers.refused, [1, 1, 3]);
    callers.finish(|_| MS).await;
    callers.enter(1).await;
    assert_eq!(callers.refused, [1, 1, 3], "there is room again");
}

#[tokio::test]
async fn a_refusal_says_how_long_its_network_must_wait() {
    let mut callers = Callers::new(Bounds {
        waiting_of_one: 10,
        ..BOUNDS
    });
    for _ in 0..2 {
        callers.enter(1).await;
    }
    callers.finish(|_| 500 * MS).await;
    for _ in 0..10 {
        callers.enter(1).await;
    }
    assert_eq!(
        callers.fair.enter(1, None).await.unwrap_err(),
        Full { seconds: 6 }
    );
    // The turns of another network come in between.
    for _ in 0..4 {
        callers.enter(2).await;
    }
    assert_eq!(
        callers.fair.enter(1, None).await.unwrap_err(),
        Full { seconds: 8 }
    );
    let unknown = Fair::new(Bounds {
        waiting_of_one: 0,
        ..BOUNDS
    })
    .expecting(3000 * MS);
    let _other = unknown.enter(2, None).await.unwrap();
    assert_eq!(
        unknown.enter(1, None).await.unwrap_err(),
        Full { seconds: 4 },
        "before any turn has ended"
    );
}

#[tokio::test]
async fn networks_without_callers_are_forgotten() {
    let fair = Fair::new(BOUNDS);
    for network in 0..3 * REMEMBERED {
        fair.enter(network, None).await.unwrap().finish(MS);
    }
    assert!(fair.lock().shares.len() <= 1);
    let wide = Fair::new(Bounds {
        permits: usize::MAX,
        permits_of_one: 1,
        ..BOUNDS
    });
    let turns = (0..2 * REMEMBERED).map(|network| wide.enter(network, None));
    let turns = futures_util::future::try_join_all(turns).await.unwrap();
    turns.into_iter().for_each(|turn| turn.finish(MS));
    assert!(wide.lock().shares.len() <= REMEMBERED);
}

/// Callers of one network, each in a lane. They enter one after the other while the first one has
/// its turn.
async fn entering(fair: &Fair<u8>, lanes: &[i64]) -> Vec<(i64, Entering)> {
    let mut waiting = Vec::new();
    for lane in lanes {
        let (fair, own) = (fair.clone(), (*lane > 0).then_some(SessionId(*lane)));
        let mut entering: Entering = Box::pin(async move { fair.enter(1, own).await });
        match poll_immediate(&mut entering).await {
            Some(Ok(turn)) => waiting.push((*lane, Box::pin(async { Ok(turn) }) as Entering)),
            Some(Err(full)) => {
                waiting.push((*lane, Box::pin(async move { Err(full) }) as Entering))
            }
            None => waiting.push((*lane, entering)),
        }
    }
    waiting
}

/// The lanes in the order of their turns. `Err`: the caller was refused.
async fn order(mut waiting: Vec<(i64, Entering)>) -> Vec<Result<i64, i64>> {
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        for (lane, mut entering) in std::mem::take(&mut waiting) {
            match poll_immediate(&mut entering).await {
                Some(turn) => order.push(
                    turn.map(|turn| turn.finish(MS))
                        .map_or(Err(lane), |()| Ok(lane)),
                ),
                None => waiting.push((lane, entering)),
            }
        }
        assert!(waiting.len() < before, "no caller has a turn");
    }
    order
}

/// Zero stands for callers without a session.
#[tokio::test]
async fn lanes_of_a_network_take_turns_however_many_callers_each_has() {
    let fair = Fair::new(BOUNDS);
    let all = [vec![0; 20], vec![7; 20], vec![8; 2], vec![9]].concat();
    let order = order(entering(&fair, &all).await).await;
    // The first caller had its turn before the others came.
    let first = [0, 0, 7, 8, 9, 0, 7, 8, 0, 7, 0, 7].map(Ok);
    assert_eq!(order[..12], first);
    assert_eq!(order.len(), all.len());
}

#[tokio::test]
async fn a_full_network_gives_a_place_of_its_longest_lane_to_another_lane() {
    let fair = Fair::new(Bounds {
        waiting_of_one: 4,
        ..BOUNDS
    });
    // The eighth caller takes the place of the last one in the longest lane. The ninth is refused,
    // because its own lane is as long.
    let order = order(entering(&fair, &[7, 7, 7, 7, 7, 7, 8, 8, 8, 9]).await).await;
    let count = |lane| order.iter().filter(|turn| **turn == Ok(lane)).count();
    assert_eq!((count(7), count(8), count(9)), (2 + 1, 1, 1), "{order:?}");
    assert_eq!(order.iter().filter(|turn| turn.is_err()).count(), 5);
}

#[derive(Clone, Debug)]
enum Step {
    Enter(u8),
    GiveUp(usize),
    /// A caller gets a turn and goes away before it hears of it.
    FinishUnseen(usize),
    Finish(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8).prop_map(Step::Enter),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => any::<usize>().prop_map(Step::FinishUnseen),
        3 => (0..50_u64).prop_map(Step::Finish),
    ]
}

proptest! {
    /// Whatever callers do, no permit is lost or given twice, and no permit is idle while a caller
    /// may have it.
    #[test]
    fn every_permit_is_accounted_for(steps in prop::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bounds = Bounds { permits: 3, permits_of_one: 2, waiting_of_one: 4, waiting: 8, burst: Duration::from_micros(60) };
            let mut callers = Callers::new(bounds);
            for step in steps {
                match step {
                    Step::Enter(network) => callers.enter(network).await,
                    Step::GiveUp(n) if !callers.waiting.is_empty() => {
                        callers.waiting.remove(n % callers.waiting.len());
                    }
                    Step::FinishUnseen(n) if !callers.running.is_empty() => {
                        callers.running.remove(0).finish(MS);
                        if !callers.waiting.is_empty() {
                            callers.waiting.remove(n % callers.waiting.len());
                        }
                        callers.poll().await;
                    }
                    Step::Finish(cost) if !callers.running.is_empty() => {
                        callers.finish(|_| Duration::from_micros(cost)).await;
                    }
                    _ => {}
                }
                check(&callers, bounds);
            }
            callers.waiting.clear();
            callers.running.clear();
            let line = callers.fair.lock();
            assert_eq!((line.free, line.waiting), (bounds.permits, 0));
            assert!(line.eligible.is_empty() && line.longest.is_empty());
            assert_eq!(line.shares.len(), line.idle.len());
        });
    }
}

fn check(callers: &Callers, bounds: Bounds) {
    let line = callers.fair.lock();
    assert_eq!(line.free, bounds.permits - callers.running.len());
    assert_eq!(line.waiting, callers.waiting.len());
    assert!(line.waiting <= bounds.waiting);
    assert_eq!(
        line.longest
            .iter()
            .map(|(waiting, _)| waiting)
            .sum::<usize>(),
        line.waiting
    );
    for network in 0..4 {
        let (running, waiting) = (callers.running(network), callers.waiting(network));
        assert!(running <= bounds.permits_of_one && waiting <= bounds.waiting_of_one);
        assert!(
            line.free == 0 || waiting == 0 || running == bounds.permits_of_one,
            "a permit is idle"
        );
        let share = line.shares.get(&network);
        assert_eq!(
            share.map_or((0, 0), |share| (share.running, share.callers.len())),
            (running, waiting)
        );
    }
}
