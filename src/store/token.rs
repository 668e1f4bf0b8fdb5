//! Tokens: issued by a live grant, and removed with it.

use std::time::Duration;

use super::{
    effect::{AccessClient, AccessSession, Effect, TokenAdmission},
    engine::{connection::Row, value::params},
    size::HASH,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{GrantId, Granted, Scopes, Timestamp},
    secret::{KeyId, SecretHash, sha256},
};

/// How long an expired token is kept, so that it can still be used to revoke (RFC 7009 §2).
const KEPT_FOR: Duration = Duration::from_hours(24);

fn access(row: &Row) -> Result<TokenAdmission> {
    let session = match row.get("session_id")? {
        Some(id) => Some(AccessSession {
            id,
            client: access_client(row)?,
        }),
        None => None,
    };
    Ok(TokenAdmission {
        secret: row.get("secret_hash")?,
        granted: Granted {
            id: row.get("grant_id")?,
            scope: row.get("scope")?,
            confined: row.get("confined")?,
            is_key: row.get("is_key")?,
        },
        app: row.get("app_id")?,
        session,
        alone: row.get("alone")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        unsettled: row.get("unsettled")?,
    })
}

fn access_client(row: &Row) -> Result<Option<AccessClient>> {
    let Some(id) = row.get("client")? else {
        return Ok(None);
    };
    Ok(Some(AccessClient {
        id,
        expires_at: row.get("client_expires_at")?,
        key_created_by: row.get("created_by")?,
    }))
}

/// Selects access tokens, with all that the caller map needs.
const ACCESS: &str = "SELECT token.*, app_grant.session_id, app_id, created_by,
        client.id AS client, client.expires_at AS client_expires_at,
        app_grant.res IS NOT NULL AS confined, app.session_id IS NOT NULL AS is_key,
        app_grant.session_id IS NULL OR app.session_id IS NOT NULL OR public OR bearer_alone AS alone,
        EXISTS (SELECT 1 FROM token AS parent
                WHERE parent.secret_hash = token.parent AND settled_at IS NULL) AS unsettled
    FROM token JOIN app_grant ON app_grant.id = token.grant_id
    JOIN app ON app.id = app_grant.app_id
    LEFT JOIN client ON client.grant_id = app_grant.id WHERE token.kind = 'access'";

/// A token that is about to be issued by a live grant.
#[derive(Clone, Copy, Debug)]
pub struct NewToken {
    /// The hash of the token.
    pub secret: SecretHash,
    /// The grant that issues it.
    pub grant: GrantId,
    /// What it allows.
    pub scope: Scopes,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The refresh token for which it is issued. `None`: it is issued for something else.
    pub parent: Option<SecretHash>,
}

/// Issues an access token. If a refresh token is exchanged for the same pair again, the access
/// token exists already and gets a new lifetime.
pub fn issue_access(tx: &Write, new: &NewToken, now: Timestamp) -> Result<()> {
    let NewToken {
        secret,
        grant,
        scope,
        expires_at,
        parent,
    } = *new;
    tx.add_row(HASH + scope.to_string().len(), 2);
    tx.execute(
        "INSERT INTO token (secret_hash, grant_id, kind, scope, created_at, expires_at, limit_at,
         parent) VALUES (?1, ?2, 'access', ?3, ?4, ?5, ?5, ?6)
         ON CONFLICT (secret_hash) DO UPDATE SET created_at = ?4, expires_at = ?5, limit_at = ?5",
        params![secret, grant, scope, now, expires_at, parent],
    )?;
    let access = tx.one(
        &format!("{ACCESS} AND token.secret_hash = ?1"),
        params![secret],
        access,
    )?;
    tx.effect(Effect::TokenIssued(access));
    Ok(())
}

/// Issues a refresh token. All refresh tokens that descend from it expire at `limit_at` at the
/// latest.
pub fn issue_refresh(
    tx: &Write,
    new: &NewToken,
    limit_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let NewToken {
        secret,
        grant,
        scope,
        expires_at,
        parent,
    } = *new;
    tx.add_row(HASH + scope.to_string().len(), 2);
    tx.execute(
        "INSERT INTO token (secret_hash, grant_id, kind, scope, created_at, expires_at, limit_at,
         parent) VALUES (?1, ?2, 'refresh', ?3, ?4, ?5, ?6, ?7)",
        params![secret, grant, scope, now, expires_at, limit_at, parent],
    )?;
    Ok(())
}

/// Records that a refresh token was exchanged, with which key, and for tokens that live until
/// `until`. It is kept as long as those, because it may be presented again.
pub fn supersede(
    tx: &Write,
    secret: SecretHash,
    by: &KeyId,
    until: Timestamp,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE token SET superseded_at = ?2, derived_by = ?3, 
             expires_at = CASE WHEN expires_at < ?4 THEN ?4 ELSE expires_at END
         WHERE secret_hash = ?1",
        params![secret, now, by, until],
    )?;
    Ok(())
}

/// Records that a token was presented, which proves that its pair has arrived. The refresh token
/// for which it was issued is not exchanged for that pair again.
pub fn settle_parent(tx: &Write, presented: SecretHash, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE token SET settled_at = ?2
         WHERE secret_hash = (SELECT parent FROM token WHERE secret_hash = ?1)
         AND settled_at IS NULL",
        params![presented, now],
    )?;
    Ok(())
}

/// Whether [`settle_parent`] would change anything.
pub fn is_unsettled(tx: &Read, secret: SecretHash) -> Result<bool> {
    tx.exists(
        "SELECT 1 FROM token JOIN token AS parent ON parent.secret_hash = token.parent
         WHERE token.secret_hash = ?1 AND parent.settled_at IS NULL",
        params![secret],
    )
}

/// A token of either kind, expired and superseded ones included. Its grant is live.
#[derive(Clone, Debug)]
pub enum Token {
    /// An access token.
    Access(TokenFacts),
    /// A refresh token.
    Refresh(RefreshToken),
}

/// What a token of either kind has.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts {
    /// The grant that issued it.
    pub grant: GrantId,
    /// What it allows.
    pub scope: Scopes,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A refresh token, and what only such a token has.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// What it has in common with an access token.
    pub facts: TokenFacts,
    /// The latest end of the token and of those that descend from it. No rotation moves it.
    pub limit_at: Timestamp,
    /// Its exchange. `None`: it was not exchanged.
    pub exchanged: Option<Exchanged>,
    /// The authorization code that it descends from, if it descends from one.
    pub code: Option<SecretHash>,
}

/// The exchange of a refresh token for a new pair.
#[derive(Clone, Debug)]
pub struct Exchanged {
    /// The key from which the pair was derived. `None`: the exchange was before there were such
    /// keys.
    pub by: Option<KeyId>,
    /// Whether a token of the pair was presented.
    pub settled: bool,
}

impl Token {
    /// What it has, whichever its kind.
    pub fn facts(&self) -> &TokenFacts {
        match self {
            Self::Access(facts) => facts,
            Self::Refresh(token) => &token.facts,
        }
    }

    /// The refresh token. `None`: it is an access token.
    pub fn refresh(self) -> Option<RefreshToken> {
        match self {
            Self::Access(_) => None,
            Self::Refresh(token) => Some(token),
        }
    }

    /// Whether it works: it has not expired and was not exchanged.
    pub fn is_active(&self, due: Timestamp) -> bool {
        match self {
            Self::Access(facts) => due < facts.expires_at,
            Self::Refresh(token) => token.is_active(due),
        }
    }

    fn read(row: &Row) -> Result<Self> {
        let facts = TokenFacts {
            grant: row.get("grant_id")?,
            scope: row.get("scope")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
        };
        if row.text("kind")? == "access" {
            return Ok(Self::Access(facts));
        }
        Ok(Self::Refresh(RefreshToken {
            facts,
            limit_at: row.get("limit_at")?,
            exchanged: Exchanged::read(row)?,
            code: row.get("code_hash")?,
        }))
    }
}

impl RefreshToken {
    /// Whether it works: it has not expired and was not exchanged.
    pub fn is_active(&self, due: Timestamp) -> bool {
        self.exchanged.is_none() && due < self.facts.expires_at
    }
}

impl Exchanged {
    fn read(row: &Row) -> Result<Option<Self>> {
        let by = row.get("derived_by")?;
        let settled = row.get::<Option<i64>>("settled_at")?.is_some();
        let superseded = row.get::<Option<i64>>("superseded_at")?.is_some();
        Ok(superseded.then_some(Self { by, settled }))
    }
}

/// The token with this hash, while it is kept.
pub fn find(tx: &Read, secret: SecretHash) -> Result<Option<Token>> {
    tx.optional(
        "SELECT * FROM token WHERE secret_hash = ?1",
        params![secret],
        Token::read,
    )
}

/// Calls `each` for every access token, to fill the caller map at the start.
pub fn for_each_access(tx: &Read, mut each: impl FnMut(Effect)) -> Result<()> {
    tx.for_each(ACCESS, &[], |row| {
        each(Effect::TokenIssued(access(row)?));
        Ok(())
    })
}

/// The public name of an access token (RFC 7662 §2.2, `jti`), which resource servers see. It is
/// derived from the token's hash and reveals nothing about the token.
pub fn jti(secret: SecretHash) -> String {
    let hash = sha256(&[b"jti".as_slice(), &secret.0].concat());
    hash[..16]
        .iter()
        .fold(String::new(), |jti, byte| format!("{jti}{byte:02x}"))
}

/// Records that a token descends from an authorization code.
pub fn note_code(tx: &Write, secret: SecretHash, code: SecretHash) -> Result<()> {
    tx.execute(
        "UPDATE token SET code_hash = ?2 WHERE secret_hash = ?1",
        params![secret, code],
    )?;
    Ok(())
}

/// Whether there are tokens that descend from an authorization code.
pub fn is_of_code(tx: &Read, code: SecretHash) -> Result<bool> {
    tx.exists("SELECT 1 FROM token WHERE code_hash = ?1", params![code])
}

/// Removes the tokens that descend from an authorization code. Returns the access tokens among
/// them.
pub fn remove_of_code(tx: &Write, code: SecretHash) -> Result<Vec<SecretHash>> {
    let removed = tx.all(
        "DELETE FROM token WHERE code_hash = ?1 RETURNING secret_hash, kind",
        params![code],
        |row| Ok((row.get(0)?, row.text(1)? == "access")),
    )?;
    let access = removed.into_iter().filter(|(_, is_access)| *is_access);
    Ok(access.map(|(secret, _)| secret).collect())
}

/// Removes the tokens of a grant that has ended.
pub fn remove_of_grant(tx: &Write, grant: GrantId) -> Result<()> {
    tx.execute("DELETE FROM token WHERE grant_id = ?1", params![grant])?;
    Ok(())
}

/// Removes a batch of tokens that expired 24 hours ago or earlier. Returns how many.
pub fn expire(tx: &Write, now: Timestamp, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM token WHERE secret_hash IN (SELECT secret_hash FROM token
         WHERE expires_at <= ?1 LIMIT ?2)",
        params![now.minus(KEPT_FOR), batch],
    )
}
