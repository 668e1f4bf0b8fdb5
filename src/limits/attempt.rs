//! Attempts whose outcome takes a while, such as passwords that must be hashed.
//!
//! Each attempt is charged before it begins. Otherwise many could pass at once. An attempt that is
//! under way has not failed yet, so it does not refuse others with the same key: they wait until
//! its outcome is known. Nodes share the charges, but not which attempts are under way.

use std::{sync::Arc, time::Duration};

use super::{
    attempts_under_way::UnderWay,
    counts::{Charge, Counts, Refusal, State},
};

/// The most attempts that wait for others with the same key. One more is refused.
const WAITING: usize = 64;

/// An attempt that is under way. It stays charged when it is dropped, unless [`Attempt::pass`] is
/// called.
pub struct Attempt {
    counts: Arc<Counts>,
    charges: Vec<Charge>,
}

impl Counts {
    /// Makes all charges, or none of them, for an attempt that begins. If only attempts under way
    /// prevent that, it waits for their outcome. `now` is a steady clock's time. Fails if a key has
    /// to wait, or if too many attempts wait for the key already.
    pub async fn attempt(
        self: &Arc<Self>,
        charges: Vec<Charge>,
        now: Duration,
    ) -> Result<Attempt, Refusal> {
        loop {
            let settled = {
                let mut state = self.lock();
                let wait = if self.on {
                    state.longest_wait(&charges, now)
                } else {
                    None
                };
                let Some((charge, wait)) = wait else {
                    if self.on {
                        state.take(&charges, now);
                        state.begin(&charges);
                    }
                    return Ok(Attempt {
                        counts: self.clone(),
                        charges,
                    });
                };
                match state.under_way.get(&(charge.map(), charge.key.clone())) {
                    Some(of_key) if Arc::strong_count(&of_key.settled) <= WAITING => {
                        of_key.settled.clone().notified_owned()
                    }
                    _ => return Err(state.refuse(charge, wait, now)),
                }
            };
            settled.await;
        }
    }
}

impl Attempt {
    /// Notes that the attempt was not a failure. Its charges are given back, except for kept
    /// charges.
    pub fn pass(self) {
        let back = self
            .charges
            .iter()
            .filter(|charge| !charge.kept)
            .cloned()
            .collect::<Vec<_>>();
        self.counts.refund(&back);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.counts.on {
            self.counts.lock().end(&self.charges);
        }
    }
}

impl State {
    fn begin(&mut self, charges: &[Charge]) {
        // Charges that are kept are never given back, so no attempt waits for them.
        for charge in charges.iter().filter(|charge| !charge.kept) {
            let new = || UnderWay {
                attempts: 0,
                settled: Arc::default(),
            };
            self.under_way
                .entry((charge.map(), charge.key.clone()))
                .or_insert_with(new)
                .attempts += 1;
        }
    }

    fn end(&mut self, charges: &[Charge]) {
        for charge in charges.iter().filter(|charge| !charge.kept) {
            let of = (charge.map(), charge.key.clone());
            let Some(of_key) = self.under_way.get_mut(&of) else {
                continue;
            };
            of_key.attempts -= 1;
            of_key.settled.notify_waiters();
            if of_key.attempts == 0 {
                self.under_way.remove(&of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;
    use crate::audit::Limit;

    const NOW: Duration = Duration::from_secs(1);

    fn counts() -> Arc<Counts> {
        Arc::new(Counts::new(true))
    }

    /// Charges with a limit of ten at once.
    fn charges() -> Vec<Charge> {
        vec![Charge::new(Limit::SessionUserCodes, 1)]
    }

    async fn ten(counts: &Arc<Counts>) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for _ in 0..10 {
            attempts.push(counts.attempt(charges(), NOW).await.unwrap());
        }
        attempts
    }

    /// The outcome of an attempt so far. `None`: it waits.
    fn look<T>(attempt: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match attempt.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(outcome) => Some(outcome),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_running_attempt_makes_others_wait_and_refuses_none_if_it_passes() {
        let counts = counts();
        let mut under_way = ten(&counts).await;
        let mut next = pin!(counts.attempt(charges(), NOW));
        assert!(look(next.as_mut()).is_none());
        under_way.pop().unwrap().pass();
        assert!(look(next.as_mut()).unwrap().is_ok());
    }

    #[tokio::test]
    async fn attempts_that_fail_refuse_waiting_ones() {
        let counts = counts();
        let mut under_way = ten(&counts).await;
        let (mut next, mut other) = (
            pin!(counts.attempt(charges(), NOW)),
            pin!(counts.attempt(charges(), NOW)),
        );
        assert!(look(next.as_mut()).is_none() && look(other.as_mut()).is_none());
        drop(under_way.pop());
        assert!(look(next.as_mut()).is_none(), "nine are still running");
        under_way.pop().unwrap().pass();
        let passed = look(next.as_mut()).unwrap().unwrap();
        under_way.clear();
        assert!(look(other.as_mut()).is_none(), "one is running");
        drop(passed);
        assert_eq!(look(other.as_mut()).unwrap().err().unwrap().seconds, 30);
        assert!(counts.lock().under_way.is_empty());
    }

    #[tokio::test]
    async fn the_number_of_waiting_attempts_is_limited() {
        let counts = counts();
        let under_way = ten(&counts).await;
        let mut waiting: Vec<_> = (0..WAITING)
            .map(|_| Box::pin(counts.attempt(charges(), NOW)))
            .collect();
        assert!(
            waiting
                .iter_mut()
                .all(|attempt| look(attempt.as_mut()).is_none())
        );
        assert_eq!(
            counts.attempt(charges(), NOW).await.err().unwrap().seconds,
            30
        );
        waiting.pop();
        assert!(
            look(pin!(counts.attempt(charges(), NOW))).is_none(),
            "an attempt that goes away leaves its place"
        );
        drop(under_way);
    }

    #[tokio::test]
    async fn without_limits_nothing_waits() {
        let counts = Arc::new(Counts::new(false));
        let _under_way = ten(&counts).await;
        ten(&counts).await.into_iter().for_each(Attempt::pass);
    }
}
