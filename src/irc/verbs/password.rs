//! PASS: sets the session's password.

use crate::{
    error::{Error, Result},
    irc::verb::Verb,
    model::{Password, Requirement, Scope},
};

/// PASS: set the session's password. The password is hashed before the transaction. `Debug` output
/// hides both.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The new password.
    pub new: Password,
    /// The current password, which is needed if one is set.
    pub current: Option<Password>,
}

/// PASS's row in the table of verbs.
pub const fn verbs<C: From<Pass>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("PASS", Requirement::Scope(Scope::SessionManage), pass)
                .min_params(1)
                .syntax("PASS <new> [<current>]")
                .help("sets the session's password; to change it, give the current one too"),
        ]
    }
}

/// `PASS <new> [<current>]`.
fn pass<C: From<Pass>>(params: &[String]) -> Result<C> {
    let [new, current @ ..] = params else {
        unreachable!("PASS has at least one parameter")
    };
    if current.len() > 1 {
        let detail = "PASS takes the new password and the current one. Write a password with \
            spaces as one parameter: PASS :like this";
        return Err(Error::malformed(detail));
    }
    // Whether the new password is good enough depends on the session's nick.
    let pass = Pass {
        new: Password::new(new),
        current: current.first().map(Password::new),
    };
    Ok(pass.into())
}
