//! Passwords: Argon2id as PHC strings, computed away from the async threads.
//!
//! A few threads of their own hash, each with one block of memory it reuses, and a bounded line of work waits for them,
//! so a storm of logins costs time, never memory, and never a thread of the chat.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::phc};
use tokio::sync::oneshot;

use crate::{
    error::{Code, Error, Result},
    model::{HashedPassword, Password},
    secret,
};

/// Work waiting for a thread; one more is refused with `overloaded`.
const WAITING: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);
/// How much the hashing threads give way to all others (nice(2)): a tenth of a processor is left to them in the worst case.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
const HASH_BYTES: usize = 32;

/// The parameters new hashes are made with: 19 MiB, two passes, one lane (OWASP's recommendation for Argon2id).
fn current_params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(HASH_BYTES)).expect("these parameters are valid")
}

/// What a verification found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Wrong,
    Right,
    /// Right, and the stored hash was made with outdated parameters, or of the password as it was typed then: make a new one.
    RightButOutdated,
}

enum Task {
    Hash(Password, oneshot::Sender<Result<HashedPassword>>),
    Verify(Password, HashedPassword, oneshot::Sender<Result<Verdict>>),
}

/// The threads that hash; they end when it is dropped.
pub struct Hasher {
    line: Arc<Line>,
    /// How long a caller waits for its turn before it is told to come back.
    patience: Duration,
    /// Verified against when there is nothing to verify against, so that time tells nothing.
    dummy: HashedPassword,
}

impl Hasher {
    /// Starts `threads` hashing threads.
    pub fn start(threads: usize) -> Result<Self> {
        let dummy = hash(&Password::new("a password nobody has"), &mut Vec::new())?;
        let hasher = Self { line: Arc::default(), patience: PATIENCE, dummy };
        for n in 0..threads.max(1) {
            let line = hasher.line.clone();
            let work = move || {
                give_way();
                let mut memory = Vec::new();
                while let Some(task) = line.next() {
                    // A panic costs its own caller an answer, and nobody else a thread.
                    let run = catch_unwind(AssertUnwindSafe(|| task.run(&mut memory)));
                    line.lock().running -= 1;
                    if run.is_err() {
                        tracing::error!("hashing a password panicked");
                    }
                }
            };
            thread::Builder::new().name(format!("password-{n}")).spawn(work).map_err(Error::internal)?;
        }
        Ok(hasher)
    }

    /// How many passwords are being hashed, or wait for it.
    pub fn busy_with(&self) -> usize {
        let waiting = self.line.lock();
        waiting.tasks.len() + waiting.running
    }

    /// The hash of a new password, in the form in which it is kept.
    pub async fn hash(&self, password: Password) -> Result<HashedPassword> {
        let (answer, result) = oneshot::channel();
        self.run(Task::Hash(password, answer), result).await
    }

    /// Checks a password against a hash, in the form in which it is kept and, where that is another, as it was given: older
    /// hashes were made so. Against none the same work is done and the verdict is `Wrong`.
    pub async fn verify(&self, password: Password, stored: Option<HashedPassword>) -> Result<Verdict> {
        let (answer, result) = oneshot::channel();
        let known = stored.is_some();
        let task = Task::Verify(password, stored.unwrap_or_else(|| self.dummy.clone()), answer);
        let verdict = self.run(task, result).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn run<T>(&self, task: Task, result: oneshot::Receiver<Result<T>>) -> Result<T> {
        let busy = || Error::retry(Code::Overloaded, 5, "too many passwords are being checked; try again shortly");
        if !self.line.join(task) {
            return Err(busy());
        }
        match tokio::time::timeout(self.patience, result).await {
            Ok(answer) => answer.map_err(Error::internal)?,
            Err(_) => Err(busy()),
        }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.line.lock().over = true;
        self.line.changed.notify_all();
    }
}

/// The work that waits for a thread.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    tasks: VecDeque<Task>,
    /// Tasks that a thread has taken and not finished.
    running: usize,
    /// No more will come.
    over: bool,
}

impl Line {
    /// Takes a place at the end, if there is one; whoever has gone away does not keep theirs.
    fn join(&self, task: Task) -> bool {
        let mut waiting = self.lock();
        if waiting.tasks.len() == WAITING {
            waiting.tasks.retain(Task::is_awaited);
        }
        let free = waiting.tasks.len() < WAITING;
        if free {
            waiting.tasks.push_back(task);
            self.changed.notify_one();
        }
        free
    }

    /// The task that has waited longest; waits for one. `None` when it is over.
    fn next(&self) -> Option<Task> {
        let empty = |waiting: &mut Waiting| waiting.tasks.is_empty() && !waiting.over;
        let mut waiting = self.changed.wait_while(self.lock(), empty).unwrap_or_else(|e| e.into_inner());
        let task = waiting.tasks.pop_front()?;
        waiting.running += 1;
        Some(task)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// Lowers the calling thread's priority, so that a storm of logins takes what the chat leaves of the processors. On Linux
/// niceness is a thread's own (sched(7)); elsewhere it would be the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
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
            Task::Verify(password, stored, answer) => drop(answer.send(verify(&password, &stored, memory))),
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

fn verify(password: &Password, stored: &HashedPassword, memory: &mut Vec<Block>) -> Result<Verdict> {
    let stored = PasswordHash::new(stored.as_phc()).map_err(Error::internal)?;
    let params = Params::try_from(&stored).map_err(Error::internal)?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(Error::internal("a stored password hash has no salt or no hash"));
    };
    let prepared = password.prepared();
    let as_given = (prepared.as_ref() != Some(password)).then_some(password);
    let mut is_right = |form: &Password| {
        // `Output` compares in constant time.
        derive(form, &salt, &params, expected.len(), memory).map(|output| output == expected)
    };
    let now = current_params();
    let current = (params.m_cost(), params.t_cost(), params.p_cost()) == (now.m_cost(), now.t_cost(), now.p_cost());
    for (form, is_kept) in
        prepared.iter().map(|form| (form, true)).chain(as_given.map(|form| (form, prepared.is_none())))
    {
        if is_right(form)? {
            return Ok(if current && is_kept { Verdict::Right } else { Verdict::RightButOutdated });
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
        .hash_password_into_with_memory(password.reveal().as_bytes(), salt.as_ref(), &mut output, memory)
        .map_err(Error::internal)?;
    phc::Output::new(&output).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text)
    }

    #[tokio::test]
    async fn a_hash_is_a_phc_string_that_verifies_its_password_alone() {
        let hasher = Hasher::start(1).unwrap();
        let stored = hasher.hash(password("correct horse battery")).await.unwrap();
        assert!(stored.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{stored:?}"), "HashedPassword(…)");
        let verify = |text: &'static str| hasher.verify(password(text), Some(stored.clone()));
        assert_eq!(verify("correct horse battery").await.unwrap(), Verdict::Right);
        assert_eq!(verify("correct horse battery ").await.unwrap(), Verdict::Wrong);
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
        let verdict =
            hasher.verify(password("old times"), Some(HashedPassword::from_phc(old.to_string()))).await.unwrap();
        assert_eq!(verdict, Verdict::RightButOutdated);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_typed_and_an_older_hash_is_tried_as_it_was_given() {
        let hasher = Hasher::start(1).unwrap();
        let verify = |text: &str, stored: &HashedPassword| hasher.verify(password(text), Some(stored.clone()));
        let (composed, decomposed) = ("caf\u{e9} au lait", "cafe\u{301} au\u{a0}lait");
        for typed in [composed, decomposed] {
            let stored = hasher.hash(password(typed)).await.unwrap();
            assert_eq!(verify(composed, &stored).await.unwrap(), Verdict::Right);
            assert_eq!(verify(decomposed, &stored).await.unwrap(), Verdict::Right);
            assert_eq!(verify("cafe au lait", &stored).await.unwrap(), Verdict::Wrong);
        }
        // As they were made before, of whatever was typed.
        let old = |text: &str| {
            let salt = phc::Salt::new(b"0123456789abcdef").unwrap();
            let params = current_params();
            let hash = derive(&password(text), &salt, &params, HASH_BYTES, &mut Vec::new()).unwrap();
            let phc = PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(19),
                params: (&params).try_into().unwrap(),
                salt: Some(salt),
                hash: Some(hash),
            };
            HashedPassword::from_phc(phc.to_string())
        };
        assert_eq!(verify(decomposed, &old(decomposed)).await.unwrap(), Verdict::RightButOutdated);
        assert_eq!(verify(composed, &old(decomposed)).await.unwrap(), Verdict::Wrong, "nobody knows how");
        assert_eq!(verify("cafe\u{301} au lait", &old(composed)).await.unwrap(), Verdict::Right);
        assert_eq!(verify("tab\tulator", &old("tab\tulator")).await.unwrap(), Verdict::Right, "there is no newer form");
    }

    #[tokio::test]
    async fn without_a_stored_hash_no_password_is_right() {
        let hasher = Hasher::start(1).unwrap();
        assert_eq!(hasher.verify(password("a password nobody has"), None).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_full_line_is_refused_with_retry_after() {
        let hasher = Hasher::start(1).unwrap();
        let tries = (0..WAITING + 8).map(|_| hasher.hash(password("one of many")));
        let results = futures_util::future::join_all(tries).await;
        let refused = results.iter().filter_map(|r| r.as_ref().err()).collect::<Vec<_>>();
        assert!(!refused.is_empty());
        assert!(refused.iter().all(|e| e.code == Code::Overloaded));
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_patience_lasts() {
        let mut hasher = Hasher::start(1).unwrap();
        hasher.patience = Duration::from_millis(1);
        let tries = (0..WAITING).map(|_| hasher.hash(password("one of many")));
        let results = futures_util::future::join_all(tries).await;
        let refused = results.iter().filter_map(|result| result.as_ref().err());
        assert!(refused.clone().count() > 0 && refused.clone().all(|error| error.code == Code::Overloaded));
    }

    #[tokio::test]
    async fn whoever_goes_away_frees_a_place() {
        let hasher = Hasher::start(1).unwrap();
        for round in 0..3 {
            let tries = (0..WAITING).map(|_| Box::pin(hasher.hash(password("gone before its turn"))));
            let mut tries = tries.collect::<Vec<_>>();
            for waiting in &mut tries {
                // Polled once, it stands in the line, and there is a place for each.
                let now = futures_util::future::poll_immediate(waiting).await;
                assert!(now.is_none_or(|result| result.is_ok()), "round {round}");
            }
        }
    }
}
