//! Scopes: what a caller may do.

use std::fmt;

use strum::{IntoStaticStr, VariantArray};

use super::invalid::Invalid;

/// One kind of thing that a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Scope {
    /// Read the snapshot, the queue, streams and history.
    #[strum(serialize = "chat:read")]
    ChatRead,
    /// Send messages, join, leave and set topics.
    #[strum(serialize = "chat:write")]
    ChatWrite,
    /// Kick, invite and change channels' modes.
    #[strum(serialize = "chat:moderate")]
    ChatModerate,
    /// Know the session's nick and channels.
    #[strum(serialize = "identity")]
    Identity,
    /// Manage the session itself: its nick, password, clients, keys and grants.
    #[strum(serialize = "session:manage")]
    SessionManage,
}

impl Scope {
    /// The scopes that can be granted, in the order in which they are written.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The scope on the wire and in the store.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a caller needs to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// No scope: any caller with a client may do it.
    AnyClient,
    /// This scope.
    Scope(Scope),
}

impl From<Scope> for Requirement {
    fn from(scope: Scope) -> Self {
        Self::Scope(scope)
    }
}

/// A set of scopes. A cookie has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope. A cookie has this set.
    pub const ALL: Self = Self(u8::MAX);
    /// No scope.
    pub const NONE: Self = Self(0);

    /// Parses scopes separated by spaces, in any order (RFC 6749 §3.3). Fails with
    /// [`Invalid::Scope`] if there is none, or an unknown one.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = |detail| Err(Invalid::Scope(detail));
        let mut scopes = Self::NONE;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match Scope::ALL.iter().find(|scope| scope.name() == word) {
                Some(scope) => scopes.0 |= bit(*scope),
                None => return refuse("the list of scopes contains an unknown scope"),
            }
        }
        if scopes == Self::NONE {
            refuse("the list of scopes is empty")
        } else {
            Ok(scopes)
        }
    }

    /// The scopes from the store, which were checked before they were stored. A text that cannot be
    /// parsed allows nothing.
    pub fn stored(text: &str) -> Self {
        Self::parse(text).unwrap_or(Self::NONE)
    }

    /// Whether the set contains a scope.
    pub fn allow(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }

    /// The set without one scope.
    pub fn without(self, scope: Scope) -> Self {
        Self(self.0 & !bit(scope))
    }

    /// Whether these scopes need a client. `identity` alone needs none.
    pub fn need_client(self) -> bool {
        self.0 & !bit(Scope::Identity) != 0
    }

    /// Whether the set contains all of `others`.
    pub fn covers(self, others: Self) -> bool {
        others.0 & !self.0 == 0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Scope::ALL
            .iter()
            .copied()
            .filter(|scope| self.allow(*scope))
            .map(Scope::name);
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn scopes_are_read_in_any_order_and_written_in_one() {
        let scopes = Scopes::parse(" identity chat:write  chat:read chat:write").unwrap();
        assert_eq!(scopes.to_string(), "chat:read chat:write identity");
        assert!(scopes.allow(Scope::ChatRead) && !scopes.allow(Scope::SessionManage));
        for bad in [
            "",
            "  ",
            "chat",
            "chat:read,chat:write",
            "CHAT:READ",
            "chat:read admin",
            "chat:read\tidentity",
        ] {
            assert_eq!(
                Error::from(Scopes::parse(bad).unwrap_err()).code,
                Code::InvalidScope,
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_wider_set_is_not_covered() {
        let scopes = |text| Scopes::parse(text).unwrap();
        assert!(scopes("chat:read identity").covers(scopes("identity")));
        assert!(!scopes("chat:read identity").covers(scopes("identity chat:write")));
        assert!(Scopes::ALL.covers(scopes("session:manage")));
        assert_eq!(
            Scopes::ALL.to_string(),
            "chat:read chat:write chat:moderate identity session:manage"
        );
        assert_eq!(Scopes::stored("chat:read of:tomorrow"), Scopes::NONE);
    }
}
