//! Password hashing: Argon2id as PHC strings, computed away from the async threads.
//!
//! A few dedicated threads hash, each with one block of memory that it reuses. Work waits for them
//! in a bounded line. A storm of logins therefore costs time, but no memory and no thread of the
//! chat.
//!
//! The line is fair by network, and within a network by session. However many passwords one of them
//! sends, those of others are hashed in between, and only the one that makes the line long is
//! refused.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::phc};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::{
    error::{Code, Error, Result},
    limits::fair::{Bounds, Fair, Turn},
    model::{HashedPassword, Network, Password, SessionId},
    secret,
};

/// Passwords of one network that may wait for a thread. One more is refused with `overloaded`.
const WAITING_OF_ONE: usize = 64;
/// Passwords of all networks together that may wait. One more is refused with `overloaded`.
const WAITING: usize = 512;
/// How long a caller waits for its turn before it is refused with `overloaded`.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much hashing time a network that was idle may use before it takes turns with those that hash
/// all the time: some fifty passwords.
const BURST: Duration = Duration::from_secs(1);
/// The niceness of the hashing threads (nice(2)). They still get a tenth of a processor in the
/// worst case.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// The length of a hash in bytes.
const HASH_BYTES: usize = 32;

/// The parameters of new hashes: 19 MiB, two passes, one lane (OWASP's recommendation for
/// Argon2id).
fn current_params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(HASH_BYTES)).expect("these parameters are valid")
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong, or there is no stored hash.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but its hash should be replaced: it was made with outdated
    /// parameters, or of the password as it was typed instead of its normal form.
    RightButOutdated,
}

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

/// A task, and its network's turn, which ends with the task even if nobody waits for the answer any
/// more.
struct Job {
    task: Task,
    _turn: Turn<Network>,
}

enum Task {
    Hash(Password, oneshot::Sender<Result<HashedPassword>>),
    Verify(Password, HashedPassword, oneshot::Sender<Result<Verdict>>),
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
                    // A panic costs its own caller the answer, and no thread.
                    let run = catch_unwind(AssertUnwindSafe(|| job.task.run(&mut memory)));
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
    /// differs, as it was given, because older hashes were made so. With no stored hash it does the
    /// same work, and the verdict is `Wrong`. It fails with `overloaded` if too many passwords
    /// wait.
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
            self.line.join(Job { task, _turn: turn });
            result.await.map_err(Error::internal)?
        };
        tokio::time::timeout(self.patience, hashed)
            .await
            .unwrap_or_else(|_| Err(busy(self.patience.as_secs())))
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.line.lock().over = true;
        self.line.changed.notify_all();
    }
}

fn busy(seconds: u64) -> Error {
    Error::retry(
        Code::Overloaded,
        seconds,
        "too many passwords from your network are being checked; try again shortly",
    )
}

/// The tasks whose turn it is and that no thread has taken yet.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No more tasks will come.
    over: bool,
}

impl Line {
    fn join(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    /// Waits for the next job. `None` when the hasher is gone and the line is empty.
    fn next(&self) -> Option<Job> {
        let empty = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.over;
        let mut waiting = self.lock();
        self.changed.wait_while(&mut waiting, empty);
        waiting.jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
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

impl Task {
    /// Whether its caller still waits for the answer.
    fn is_awaited(&self) -> bool {
        match self {
            Task::Hash(_, answer) => !answer.is_closed(),
            Task::Verify(_, _, answer) => !answer.is_closed(),
        }
    }

    fn run(self, memory: &mut Vec<Block>) {
        if !self.is_awaited() {
            return;
        }
        // The caller may still go away; then nobody needs the answer.
        match self {
            Task::Hash(password, answer) => drop(answer.send(hash(&password, memory))),
            Task::Verify(password, stored, answer) => {
                drop(answer.send(verify(&password, &stored, memory)))
            }
        }
    }
}

fn hash(password: &Password, memory: &mut Vec<Block>) -> Result<HashedPassword> {
    let params = current_params();
    let prepared = password.prepared();
    let password = prepared.as_ref().unwrap_or(password);
    let salt = phc::Salt::new(&secret::random::<16>()?).map_err(Error::internal)?;
    let output = derive(password, &salt, &params, HASH_BYTES, memory)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&params).try_into().map_err(Error::internal)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(HashedPassword::from_phc(phc.to_string()))
}

fn verify(
    password: &Password,
    stored: &HashedPassword,
    memory: &mut Vec<Block>,
) -> Result<Verdict> {
    let stored = PasswordHash::new(stored.as_phc()).map_err(Error::internal)?;
    let params = Params::try_from(&stored).map_err(Error::internal)?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(Error::internal(
            "a stored password hash has no salt or no hash",
        ));
    };
    let prepared = password.prepared();
    let as_given = (prepared.as_ref() != Some(password)).then_some(password);
    let mut is_right = |form: &Password| {
        // `Output` compares in constant time.
        derive(form, &salt, &params, expected.len(), memory).map(|output| output == expected)
    };
    let now = current_params();
    let current = (params.m_cost(), params.t_cost(), params.p_cost())
        == (now.m_cost(), now.t_cost(), now.p_cost());
    for (form, is_kept) in prepared
        .iter()
        .map(|form| (form, true))
        .chain(as_given.map(|form| (form, prepared.is_none())))
    {
        if is_right(form)? {
            return Ok(if current && is_kept {
                Verdict::Right
            } else {
                Verdict::RightButOutdated
            });
        }
    }
    Ok(Verdict::Wrong)
}

fn derive(
    password: &Password,
    salt: &phc::Salt,
    params: &Params,
    length: usize,
    memory: &mut Vec<Block>,
) -> Result<phc::Output> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = vec![0; length];
    argon2
        .hash_password_into_with_memory(
            password.reveal().as_bytes(),
            salt.as_ref(),
            &mut output,
            memory,
        )
        .map_err(Error::internal)?;
    phc::Output::new(&output).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    fn home() -> Network {
        network(1)
    }

    fn network(n: u8) -> Network {
        Network::of([192, 0, 2, n].into())
    }

    #[tokio::test]
    async fn a_hash_is_a_phc_string_that_verifies_its_password_alone() {
        let hasher = Hasher::start(1).unwrap();
        let stored = hasher
            .hash(home(), password("correct horse battery"))
            .await
            .unwrap();
        assert!(
            stored
                .as_phc()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$")
        );
        assert_eq!(format!("{stored:?}"), "HashedPassword(…)");
        let verify =
            |text: &'static str| hasher.verify(home(), password(text), Some(stored.clone()));
        assert_eq!(
            verify("correct horse battery").await.unwrap(),
            Verdict::Right
        );
        assert_eq!(
            verify("correct horse battery ").await.unwrap(),
            Verdict::Wrong
        );
        assert_eq!(verify("").await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn an_outdated_hash_verifies_and_says_so() {
        let params = Params::new(64, 1, 1, Some(32)).unwrap();
        let salt = phc::Salt::new(b"0123456789abcdef").unwrap();
        let hash = derive(&password("old times"), &salt, &params, 32, &mut Vec::new()).unwrap();
        let old = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(19),
            params: (&params).try_into().unwrap(),
            salt: Some(salt),
            hash: Some(hash),
        };
        let hasher = Hasher::start(1).unwrap();
        let verdict = hasher
            .verify(
                home(),
                password("old times"),
                Some(HashedPassword::from_phc(old.to_string())),
            )
            .await
            .unwrap();
        assert_eq!(verdict, Verdict::RightButOutdated);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_typed_and_an_older_hash_is_tried_as_it_was_given()
    {
        let hasher = Hasher::start(1).unwrap();
        let verify = |text: &str, stored: &HashedPassword| {
            hasher.verify(home(), password(text), Some(stored.clone()))
        };
        let (composed, decomposed) = ("caf\u{e9} au lait", "cafe\u{301} au\u{a0}lait");
        for typed in [composed, decomposed] {
            let stored = hasher.hash(home(), password(typed)).await.unwrap();
            assert_eq!(verify(composed, &stored).await.unwrap(), Verdict::Right);
            assert_eq!(verify(decomposed, &stored).await.unwrap(), Verdict::Right);
            assert_eq!(
                verify("cafe au lait", &stored).await.unwrap(),
                Verdict::Wrong
            );
        }
        // Older hashes were made of the password as it was typed.
        let old = |text: &str| {
            let salt = phc::Salt::new(b"0123456789abcdef").unwrap();
            let params = current_params();
            let hash =
                derive(&password(text), &salt, &params, HASH_BYTES, &mut Vec::new()).unwrap();
            let phc = PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(19),
                params: (&params).try_into().unwrap(),
                salt: Some(salt),
                hash: Some(hash),
            };
            HashedPassword::from_phc(phc.to_string())
        };
        assert_eq!(
            verify(decomposed, &old(decomposed)).await.unwrap(),
            Verdict::RightButOutdated
        );
        assert_eq!(
            verify(composed, &old(decomposed)).await.unwrap(),
            Verdict::Wrong,
            "nobody knows how"
        );
        assert_eq!(
            verify("cafe\u{301} au lait", &old(composed)).await.unwrap(),
            Verdict::Right
        );
        assert_eq!(
            verify("tab\tulator", &old("tab\tulator")).await.unwrap(),
            Verdict::Right,
            "there is no newer form"
        );
    }

    #[tokio::test]
    async fn without_a_stored_hash_no_password_is_right() {
        let hasher = Hasher::start(1).unwrap();
        assert_eq!(
            hasher
                .verify(home(), password("a password nobody has"), None)
                .await
                .unwrap(),
            Verdict::Wrong
        );
    }

    #[tokio::test]
    async fn a_full_line_is_refused_with_retry_after() {
        let hasher = Hasher::start(1).unwrap();
        let tries = (0..WAITING_OF_ONE + 8).map(|_| hasher.hash(home(), password("one of many")));
        let results = futures_util::future::join_all(tries).await;
        let refused = results
            .iter()
            .filter_map(|r| r.as_ref().err())
            .collect::<Vec<_>>();
        assert!(!refused.is_empty());
        assert!(refused.iter().all(|e| e.code == Code::Overloaded));
    }

    /// A hasher whose callers wait as long as it takes, so that a busy machine fails no test.
    fn patient() -> Hasher {
        let mut hasher = Hasher::start(1).unwrap();
        hasher.patience = Duration::from_hours(1);
        hasher
    }

    /// However many passwords one network has waiting, another network's is next after those at
    /// work.
    #[tokio::test]
    async fn the_line_is_fair_by_network() {
        let hasher = patient();
        let done = Mutex::new(Vec::new());
        let hashed = async |from: u8| {
            hasher
                .hash(network(from), password("one of many"))
                .await
                .unwrap();
            done.lock().push(from);
        };
        let many = futures_util::future::join_all((0..20).map(|_| hashed(1)));
        futures_util::future::join(many, hashed(2)).await;
        let place = done.lock().iter().position(|from| *from == 2).unwrap();
        assert!(place <= 1, "{place}");
    }

    /// However many passwords the neighbours of a live device have waiting, its own is among the
    /// next.
    #[tokio::test]
    async fn the_line_is_fair_by_session_within_a_network() {
        let hasher = patient();
        let done = Mutex::new(Vec::new());
        let hashed = async |session: Option<i64>| {
            let asker = Asker {
                network: home(),
                session: session.map(SessionId),
            };
            hasher.hash(asker, password("one of many")).await.unwrap();
            done.lock().push(session);
        };
        let strangers = futures_util::future::join_all((0..20).map(|_| hashed(None)));
        let neighbour = futures_util::future::join_all((0..20).map(|_| hashed(Some(7))));
        futures_util::future::join3(strangers, neighbour, hashed(Some(8))).await;
        let place = done
            .lock()
            .iter()
            .position(|session| *session == Some(8))
            .unwrap();
        assert!(place <= 3, "{place}");
    }

    #[tokio::test]
    async fn who_makes_the_line_long_is_refused_and_no_one_else() {
        let hasher = Hasher::start(1).unwrap();
        let many = (0..WAITING_OF_ONE + 8).map(|_| hasher.hash(home(), password("one of many")));
        let all = futures_util::future::join(
            futures_util::future::join_all(many),
            hasher.hash(network(2), password("another's")),
        );
        let (many, other) = all.await;
        assert!(many.iter().any(Result::is_err) && other.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_patience_lasts() {
        let mut hasher = Hasher::start(1).unwrap();
        hasher.patience = Duration::from_millis(1);
        let tries = (0..WAITING_OF_ONE).map(|_| hasher.hash(home(), password("one of many")));
        let results = futures_util::future::join_all(tries).await;
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        assert!(
            refused.clone().count() > 0
                && refused.clone().all(|error| error.code == Code::Overloaded)
        );
    }

    #[tokio::test]
    async fn whoever_goes_away_frees_a_place() {
        let hasher = Hasher::start(1).unwrap();
        for round in 0..3 {
            let tries = (0..WAITING_OF_ONE)
                .map(|_| Box::pin(hasher.hash(home(), password("gone before its turn"))));
            let mut tries = tries.collect::<Vec<_>>();
            for waiting in &mut tries {
                // Polled once, each waits in the line, and there is room for all of them.
                let now = futures_util::future::poll_immediate(waiting).await;
                assert!(now.is_none_or(|result| result.is_ok()), "round {round}");
            }
        }
    }
}
