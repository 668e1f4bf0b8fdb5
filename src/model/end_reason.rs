//! Why clients, grants and sessions end.

use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// Why a client left, or why a key or grant was revoked.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    ToSchema,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// The client sent QUIT.
    Quit,
    /// The client logged out.
    LoggedOut,
    /// Another client of the session removed it, or a login that replaced it.
    Removed,
    /// The client was unused for too long, or its lifetime was over.
    Expired,
    /// The client's grant or API key was revoked, or a restore of the database ended the
    /// credentials.
    Revoked,
    /// The session ended.
    SessionEnded,
}

impl EndReason {
    /// Every reason.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;

    /// The reason on the wire and in the store, such as `logged_out`.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The reason with this name. `None` for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// The reason in words. The client's holder sees it, and it is the reason of a QUIT that gave
    /// none.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::LoggedOut => "logged out",
            Self::Removed => "removed by another client of the session",
            Self::Expired => "expired",
            Self::Revoked => "its access was revoked",
            Self::SessionEnded => "the session was ended",
        }
    }
}
