//! What may happen. Numbers choose among what there is at that moment.

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Step {
    /// Somebody new makes a session.
    Create,
    /// One more device by password.
    Login(usize),
    Quit(usize),
    /// A device removes another one of its session.
    Remove(usize, usize),
    RemoveOthers(usize),
    EndSession(usize),
    /// A key, perhaps one that expires, perhaps one that manages the session.
    IssueKey(usize, bool, bool),
    /// A bot that manages its session makes a key.
    IssueKeyByBot(usize),
    RotateKey(usize),
    RevokeKey(usize),
    KeyToken(usize),
    /// A device's session signs in to an app, with a queue or only by its name.
    SignIn(usize, usize, bool),
    SignInSilently(usize, usize),
    /// A device's session says no to an app.
    Deny(usize, usize),
    /// A device of the public app shows a code, and a session lets it join, or not.
    Join(usize, bool),
    /// A token's app asks for the next, by the newest refresh token or one that was used before.
    Refresh(usize, bool),
    /// A code comes back.
    Replay(usize),
    /// An app revokes one of its tokens.
    RevokeToken(usize, bool),
    /// A device revokes a grant of its session.
    RevokeGrant(usize, usize),
    /// The operator does.
    RevokeAsOperator(usize),
    EndAsOperator(usize),
    RemoveApp(usize),
    /// Long enough for an access token to expire.
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
