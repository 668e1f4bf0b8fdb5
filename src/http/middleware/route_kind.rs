//! Kinds of routes: how pages of other sites may use a path.

use axum::http::Uri;

use crate::http::extract::grammar;

/// How pages of other sites may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Endpoints that never look at cookies, and so are open to pages of other origins. What may be
    /// asked by is GET or POST.
    Open,
    /// Where apps send browsers, by GET or by POST.
    Authorize,
    /// The other pages on the way of signing in: an app may have opened them in a window of its
    /// own, and may be where their forms lead in the end.
    SignIn,
    /// What the cookie or an access token opens, and nothing of it to other origins.
    Api,
    /// Any other path.
    Other,
}

impl RouteKind {
    /// The kind of a path, which is compared whole and byte for byte.
    pub fn of(uri: &Uri) -> Self {
        match uri.path() {
            "/auth/token"
            | "/auth/revoke"
            | "/auth/introspect"
            | "/auth/userinfo"
            | "/.well-known/oauth-authorization-server" => Self::Open,
            "/auth/authorize" => Self::Authorize,
            "/auth/consent" | "/login" | "/device" => Self::SignIn,
            "/" if has_next(uri) => Self::SignIn,
            path if path.starts_with("/api/") => Self::Api,
            _ => Self::Other,
        }
    }

    /// Whether its pages belong to signing in.
    pub fn signs_in(self) -> bool {
        matches!(self, Self::Authorize | Self::SignIn)
    }
}

/// Whether the start page is to lead on.
fn has_next(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    grammar::form_pairs(query).any(|(name, _)| name.as_deref() == Some("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_part_by_all_of_it() {
        for (path, part) in [
            ("/auth/token", RouteKind::Open),
            ("/auth/token?x", RouteKind::Open),
            ("/auth/token/", RouteKind::Other),
            ("/auth/Token", RouteKind::Other),
            ("/auth/%74oken", RouteKind::Other),
            ("//auth/token", RouteKind::Other),
            ("/auth/device", RouteKind::Other),
            ("/auth/grants/events", RouteKind::Other),
            ("/auth/authorize?client_id=x", RouteKind::Authorize),
            ("/login?next=/", RouteKind::SignIn),
            ("/login/code", RouteKind::Other),
            ("/", RouteKind::Other),
            ("/?nick=x", RouteKind::Other),
            ("/?nick=x&next=%2Fdevice", RouteKind::SignIn),
            ("/?n%65xt=", RouteKind::SignIn),
            ("/api/v1/login", RouteKind::Api),
            ("/api", RouteKind::Other),
        ] {
            assert_eq!(RouteKind::of(&path.parse().unwrap()), part, "{path}");
        }
    }
}
