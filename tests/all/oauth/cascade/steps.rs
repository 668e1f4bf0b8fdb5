//! The steps of a case. Numbers choose among what exists at that moment.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Step {
    /// A new session.
    Create,
    /// Another device logs in with the password.
    Login(usize),
    Quit(usize),
    /// A device removes another one of its session.
    Remove(usize, usize),
    RemoveOthers(usize),
    EndSession(usize),
    /// A device creates a key, which may expire and may have `session:manage`.
    IssueKey(usize, bool, bool),
    /// A bot with `session:manage` creates a key.
    IssueKeyByBot(usize),
    RotateKey(usize),
    RevokeKey(usize),
    KeyToken(usize),
    /// A device's session signs in to an app, with a client or with `identity` alone.
    SignIn(usize, usize, bool),
    SignInSilently(usize, usize),
    /// A device's session denies an app.
    Deny(usize, usize),
    /// A device of the public app shows a code, and a session allows or denies it.
    Join(usize, bool),
    /// A token's app refreshes, with the newest refresh token or a used one.
    Refresh(usize, bool),
    /// A code is presented again.
    Replay(usize),
    /// An app revokes one of its tokens.
    RevokeToken(usize, bool),
    /// A device revokes a grant of its session.
    RevokeGrant(usize, usize),
    /// The operator revokes a grant.
    RevokeAsOperator(usize),
    EndAsOperator(usize),
    RemoveApp(usize),
    /// Time passes, long enough for an access token to expire.
    Pass,
}

pub fn step() -> impl Strategy<Value = Step> {
    let n = || 0..64_usize;
    prop_oneof![
        4 => Just(Step::Create),
        3 => n().prop_map(Step::Login),
        2 => n().prop_map(Step::Quit),
        2 => (n(), n()).prop_map(|(by, which)| Step::Remove(by, which)),
        1 => n().prop_map(Step::RemoveOthers),
        1 => n().prop_map(Step::EndSession),
        4 => (n(), any::<bool>(), any::<bool>())
            .prop_map(|(by, expires, manages)| Step::IssueKey(by, expires, manages)),
        4 => n().prop_map(Step::IssueKeyByBot),
        1 => n().prop_map(Step::RotateKey),
        1 => n().prop_map(Step::RevokeKey),
        4 => n().prop_map(Step::KeyToken),
        10 => (n(), n(), any::<bool>()).prop_map(|(by, app, queue)| Step::SignIn(by, app, queue)),
        2 => (n(), n()).prop_map(|(by, app)| Step::SignInSilently(by, app)),
        1 => (n(), n()).prop_map(|(by, app)| Step::Deny(by, app)),
        3 => (n(), any::<bool>()).prop_map(|(by, allow)| Step::Join(by, allow)),
        12 => (n(), prop::bool::weighted(0.3)).prop_map(|(which, used)| Step::Refresh(which, used)),
        1 => n().prop_map(Step::Replay),
        2 => (n(), any::<bool>()).prop_map(|(which, refresh)| Step::RevokeToken(which, refresh)),
        2 => (n(), n()).prop_map(|(by, which)| Step::RevokeGrant(by, which)),
        1 => n().prop_map(Step::RevokeAsOperator),
        1 => n().prop_map(Step::EndAsOperator),
        1 => n().prop_map(Step::RemoveApp),
        1 => Just(Step::Pass),
    ]
}
