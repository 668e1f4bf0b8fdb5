//! Tests of password hashing.

use argon2::{Algorithm, Params, PasswordHash, password_hash::phc};
use parking_lot::Mutex;

use super::{
    argon::{HASH_BYTES, current_params, derive},
    *,
};

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
    let verify = |text: &'static str| hasher.verify(home(), password(text), Some(stored.clone()));
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
async fn a_password_has_one_form_for_every_keyboard_and_older_hashes_are_tried_as_typed() {
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
    assert_eq!(
        verify(decomposed, &old(decomposed)).await.unwrap(),
        Verdict::RightButOutdated
    );
    assert_eq!(
        verify(composed, &old(decomposed)).await.unwrap(),
        Verdict::Wrong,
        "the typed form cannot be recovered"
    );
    assert_eq!(
        verify("cafe\u{301} au lait", &old(composed)).await.unwrap(),
        Verdict::Right
    );
    assert_eq!(
        verify("tab\tulator", &old("tab\tulator")).await.unwrap(),
        Verdict::Right,
        "the typed form is the normal form"
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

/// Another network's password comes next after those being hashed, however many one network has
/// waiting.
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

/// A live device's password is among the next, however many its neighbours have waiting.
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
async fn only_the_network_that_fills_the_line_is_refused() {
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
async fn a_caller_waits_no_longer_than_its_patience() {
    let mut hasher = Hasher::start(1).unwrap();
    hasher.patience = Duration::from_millis(1);
    let tries = (0..WAITING_OF_ONE).map(|_| hasher.hash(home(), password("one of many")));
    let results = futures_util::future::join_all(tries).await;
    let refused = results.iter().filter_map(|result| result.as_ref().err());
    assert!(
        refused.clone().count() > 0 && refused.clone().all(|error| error.code == Code::Overloaded)
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_frees_its_place() {
    let hasher = Hasher::start(1).unwrap();
    for round in 0..3 {
        let tries = (0..WAITING_OF_ONE)
            .map(|_| Box::pin(hasher.hash(home(), password("gone before its turn"))));
        let mut tries = tries.collect::<Vec<_>>();
        for waiting in &mut tries {
            // Polled once, each caller waits in the line, and there is room for all.
            let now = futures_util::future::poll_immediate(waiting).await;
            assert!(now.is_none_or(|result| result.is_ok()), "round {round}");
        }
    }
}
