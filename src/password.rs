//! Password hashing: Argon2id as PHC strings, computed away from the async threads.
//!
//! A few dedicated threads hash, each with one block of memory that it reuses. Tasks wait for them
//! in a bounded line. A storm of logins therefore costs time, but no memory and no thread of the
//! chat.
//!
//! The line is fair by network, and within a network by session. One network or session cannot
//! delay the others by sending many passwords. When the line is full, only its longest part is
//! refused.

mod argon;
mod jobs;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

pub use self::argon::Verdict;
use self::{
    argon::hash,
    jobs::{Job, Line, Task},
};
use crate::{
    error::{Code, Error, Result},
    limits::fair::{Bounds, Fair},
    model::{HashedPassword, Network, Password, SessionId},
};

/// Passwords of one network that may wait for a thread. One more is refused with `overloaded`.
const WAITING_OF_ONE: usize = 64;
/// Passwords of all networks together that may wait. One more is refused with `overloaded`.
const WAITING: usize = 512;
/// How long a caller waits for its turn before it is refused with `overloaded`.
const PATIENCE: Duration = Duration::from_secs(10);
/// The hashing time that an idle network may use before it takes turns with busy networks: some
/// fifty passwords.
const BURST: Duration = Duration::from_secs(1);
/// The niceness of the hashing threads (nice(2)). They still get a tenth of a processor in the
/// worst case.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Who wants a password hashed.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The network that the request comes from.
    pub network: Network,
    /// The live session, if one of its own devices asks. All other callers of a network share one
    /// line.
    pub session: Option<SessionId>,
}

impl From<Network> for Asker {
    fn from(network: Network) -> Self {
        Self {
            network,
            session: None,
        }
    }
}

/// The hashing threads. They end when it is dropped.
pub struct Hasher {
    turns: Fair<Network>,
    line: Arc<Line>,
    /// How long a caller waits for its turn before it is refused.
    patience: Duration,
    /// The hash to verify against when there is no stored one, so that both cases take the same
    /// time.
    dummy: HashedPassword,
}

impl Hasher {
    /// Starts `threads` hashing threads, at least one. It fails if the system cannot start a
    /// thread.
    pub fn start(threads: usize) -> Result<Self> {
        let started = Instant::now();
        let dummy = hash(&Password::new("a password nobody has"), &mut Vec::new())?;
        let cost = started.elapsed();
        let threads = threads.max(1);
        let turns = Fair::new(Bounds {
            permits: threads,
            permits_of_one: (threads - 1).max(1),
            waiting_of_one: WAITING_OF_ONE,
            waiting: WAITING,
            burst: BURST,
        })
        .expecting(cost);
        let hasher = Self {
            turns,
            line: Arc::default(),
            patience: PATIENCE,
            dummy,
        };
        for n in 0..threads {
            let line = hasher.line.clone();
            let work = move || {
                give_way();
                let mut memory = Vec::new();
                while let Some(job) = line.next() {
                    // A panic costs its own caller the answer, but does not end the thread.
                    let run = catch_unwind(AssertUnwindSafe(|| job.run(&mut memory)));
                    if run.is_err() {
                        tracing::error!("hashing a password panicked");
                    }
                }
            };
            thread::Builder::new()
                .name(format!("password-{n}"))
                .spawn(work)
                .map_err(Error::internal)?;
        }
        Ok(hasher)
    }

    /// How many passwords are being hashed or wait for it.
    pub fn busy_with(&self) -> usize {
        self.turns.busy()
    }

    /// Hashes a new password in its normal form, for a request from `from`. It fails with
    /// `overloaded` if too many passwords wait.
    pub async fn hash(&self, from: impl Into<Asker>, password: Password) -> Result<HashedPassword> {
        let (answer, result) = oneshot::channel();
        self.run(from.into(), Task::Hash(password, answer), result)
            .await
    }

    /// Verifies a password against a stored hash: first in its normal form and then, where that
    /// differs, as the user typed it, because older hashes were made of that. Without a stored hash
    /// it does the same work, and the verdict is `Wrong`. It fails with `overloaded` if too many
    /// passwords wait.
    pub async fn verify(
        &self,
        from: impl Into<Asker>,
        password: Password,
        stored: Option<HashedPassword>,
    ) -> Result<Verdict> {
        let (answer, result) = oneshot::channel();
        let known = stored.is_some();
        let task = Task::Verify(
            password,
            stored.unwrap_or_else(|| self.dummy.clone()),
            answer,
        );
        let verdict = self.run(from.into(), task, result).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T>(
        &self,
        from: Asker,
        task: Task,
        result: oneshot::Receiver<Result<T>>,
    ) -> Result<T> {
        let hashed = async {
            let turn = self.turns.enter(from.network.widest(), from.session).await;
            let turn = turn.map_err(|full| busy(full.seconds))?;
            self.line.join(Job::new(task, turn));
            result.await.map_err(Error::internal)?
        };
        tokio::time::timeout(self.patience, hashed)
            .await
            .unwrap_or_else(|_| Err(busy(self.patience.as_secs())))
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.line.close();
    }
}

fn busy(seconds: u64) -> Error {
    Error::retry(
        Code::Overloaded,
        seconds,
        "too many passwords from your network are being checked; try again shortly",
    )
}

/// Lowers the calling thread's priority, so that a storm of logins takes only the processor time
/// that the chat leaves. On Linux niceness belongs to a thread (sched(7)); elsewhere it would be
/// the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS)
    {
        tracing::warn!(%error, "the priority of password hashing cannot be lowered, so many logins \
                                at once can slow the chat down");
    }
}
