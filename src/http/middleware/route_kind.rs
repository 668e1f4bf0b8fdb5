//! Kinds of routes: how pages of other origins may use a path.

use axum::http::Uri;

use crate::http::extract::grammar;

/// How pages of other origins may use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Endpoints that ignore cookies, so pages of other origins may call them by GET or POST.
    Open,
    /// The authorization endpoint, to which apps send browsers by GET or POST.
    Authorize,
    /// The other pages of signing in. An app may have opened them in a window of its own, and
    /// their forms may lead back to the app.
    SignIn,
    /// Paths that need the cookie or an access token. They are closed to pages of other origins.
    Api,
    /// Any other path.
    Other,
}

impl RouteKind {
    /// The kind of a path. The whole path is compared, byte for byte.
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

    /// Whether the path is a page of signing in.
    pub fn signs_in(self) -> bool {
        matches!(self, Self::Authorize | Self::SignIn)
    }
}

/// Whether the query of the start page has `next`, the address to continue to after signing in.
fn has_next(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default().as_bytes();
    grammar::form_pairs(query).any(|(name, _)| name.as_deref() == Some("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_path_decides_its_kind() {
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
