//! Passwords: Argon2id as PHC strings, computed away from the async threads.
//!
//! A few threads of their own hash, each with one block of memory it reuses, and a bounded line of
//! work waits for them, so a storm of logins costs time, never memory, and never a thread of the
//! chat. The line is fair by network, and within a network by session: whatever one does, the
//! others' passwords go in between, and the one that makes it long is refused.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::phc};
use tokio::sync::oneshot;

use crate::{
    error::{Code, Error, Result},
    limits::fair::{Bounds, Fair, Turn},
    model::{HashedPassword, Network, Password, SessionId},
    secret,
};

/// Passwords of one network that wait for a thread, and of all together; one more is refused with
/// `overloaded`.
const WAITING_OF_ONE: usize = 64;
const WAITING: usize = 512;
const PATIENCE: Duration = Duration::from_secs(10);
/// What a network that was idle may hash before it takes turns with those that hash all the time:
/// some fifty passwords.
const BURST: Duration = Duration::from_secs(1);
/// How much the hashing threads give way to all others (nice(2)): a tenth of a processor is left to
/// them in the worst case.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
const HASH_BYTES: usize = 32;

/// The parameters new hashes are made with: 19 MiB, two passes, one lane (OWASP's recommendation
/// for Argon2id).
fn current_params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(HASH_BYTES)).expect("these parameters are valid")
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the stored hash was made with outdated parameters, or of the password as it was
    /// typed then: make a new one.
    RightButOutdated,
}

/// Who wants a password hashed: a network, and the live session for which one of its own devices
/// asks. All others of a network stand in one line.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub network: Network,
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

/// Work, and its network's turn, which ends with it even if nobody waits for the answer any more.
struct Job {
    task: Task,
    _turn: Turn<Network>,
}

enum Task {
    Hash(Password, oneshot::Sender<Result<HashedPassword>>),
    Verify(Password, HashedPassword, oneshot::Sender<Result<Verdict>>),
}

/// The threads that hash; they end when it is dropped.
pub struct Hasher {
    turns: Fair<Network>,
    line: Arc<Line>,
    /// How long a caller waits for its turn before it is told to come back.
    patience: Duration,
    /// Verified against when there is nothing to verify against, so that time tells nothing.
    dummy: HashedPassword,
}

impl Hasher {
    /// Starts `threads` hashing threads.
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
                    // A panic costs its own caller an answer, and nobody else a thread.
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

    /// How many passwords are being hashed, or wait for it.
    pub fn busy_with(&self) -> usize {
        self.turns.busy()
    }

    /// The hash of a new password, in the form in which it is kept. It came from a network.
    pub async fn hash(&self, from: impl Into<Asker>, password: Password) -> Result<HashedPassword> {
        let (answer, result) = oneshot::channel();
        self.run(from.into(), Task::Hash(password, answer), result)
            .await
    }

    /// Checks a password against a hash, in the form in which it is kept and, where that is
    /// another, as it was given: older hashes were made so. Against none the same work is done and
    /// the verdict is `Wrong`.
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
        "too many passwords of your network are being checked; try again shortly",
    )
}

/// The work whose turn it is, and that a thread has not taken yet.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No more will come.
    over: bool,
}

impl Line {
    fn join(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    /// The next job; waits for one. `None` when it is over.
    fn next(&self) -> Option<Job> {
        let empty = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.over;
        let mut waiting = self
            .changed
            .wait_while(self.lock(), empty)
            .unwrap_or_else(|e| e.into_inner());
        waiting.jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Lowers the calling thread's priority, so that a storm of logins takes what the chat leaves of
/// the processors. On Linux niceness is a thread's own (sched(7)); elsewhere it would be the whole
/// process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS)
    {
        tracing::warn!(%error, "passwords are hashed at ordinary priority");
    }
}

impl Task {
    /// Whether its caller is still there.
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
        // It may go away even now; then nobody needs the answer.
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
        // As they were made before, of whatever was typed.
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

    /// A hasher whose callers wait as long as it takes, on a machine that is busy too.
    fn patient() -> Hasher {
        let mut hasher = Hasher::start(1).unwrap();
        hasher.patience = Duration::from_hours(1);
        hasher
    }

    /// However much one network has waiting, another's password is next after those at work.
    #[tokio::test]
    async fn the_line_is_fair_by_network() {
        let hasher = patient();
        let done = Mutex::new(Vec::new());
        let hashed = async |from: u8| {
            hasher
                .hash(network(from), password("one of many"))
                .await
                .unwrap();
            done.lock().unwrap().push(from);
        };
        let many = futures_util::future::join_all((0..20).map(|_| hashed(1)));
        futures_util::future::join(many, hashed(2)).await;
        let place = done
            .lock()
            .unwrap()
            .iter()
            .position(|from| *from == 2)
            .unwrap();
        assert!(place <= 1, "{place}");
    }

    /// However much the neighbours of a live device have waiting, its password is among the next.
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
            done.lock().unwrap().push(session);
        };
        let strangers = futures_util::future::join_all((0..20).map(|_| hashed(None)));
        let neighbour = futures_util::future::join_all((0..20).map(|_| hashed(Some(7))));
        futures_util::future::join3(strangers, neighbour, hashed(Some(8))).await;
        let place = done
            .lock()
            .unwrap()
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
                // Polled once, it stands in the line, and there is a place for each.
                let now = futures_util::future::poll_immediate(waiting).await;
                assert!(now.is_none_or(|result| result.is_ok()), "round {round}");
            }
        }
    }
}
