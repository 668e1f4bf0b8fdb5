//! The ends of grants, as a feed for resource servers. A resource server may cache what it knows of
//! a token and still refuse it once it is revoked.

use std::sync::Arc;

use super::{
    Proof,
    revocation_feed::{Following, RevocationFeed},
};
use crate::{
    error::Result,
    model::{Moment, RevocationId},
    session::Core,
    store::{
        log,
        revocation::{self, Revocation},
    },
};

/// How many ends are read from the store at a time.
const PAGE: usize = 200;

/// A resource server that reads the revocations past a position.
pub struct RevocationReader {
    core: Arc<Core>,
    proof: Proof,
    following: Following,
    position: RevocationId,
    /// Whether the reader was told that it has everything up to the present.
    current: bool,
}

/// What a resource server reads next.
pub enum RevocationItem {
    /// Grants and tokens that ended, oldest first.
    Revocations(Vec<Revocation>),
    /// The reader has everything that has ended so far.
    UpToDate,
    /// Some ends are no longer known. The feed continues from the present.
    Reset,
    /// The app was removed, or its credentials or token are no longer valid.
    Refused,
}

/// Follows the ends of grants from `after`, or from the present. Fails with
/// `resource_server_needed`, or with `throttled` if the app has too many streams.
pub async fn follow(
    core: &Arc<Core>,
    feed: &RevocationFeed,
    proof: Proof,
    after: Option<RevocationId>,
    Moment { due, .. }: Moment,
) -> Result<RevocationReader> {
    let presented = proof.clone();
    let (app, head) = core
        .store
        .read(move |tx| Ok((presented.follows(tx, due)?, log::last_revocation(tx)?)))
        .await?;
    let following = feed.follow(app.id)?;
    Ok(RevocationReader {
        core: core.clone(),
        proof,
        following,
        position: after.unwrap_or(head),
        current: false,
    })
}

impl RevocationReader {
    /// The position of the last end that was told.
    pub fn position(&self) -> RevocationId {
        self.position
    }

    /// Waits for the next item. Dropping the future loses nothing.
    pub async fn next(&mut self, Moment { due, .. }: Moment) -> Result<RevocationItem> {
        loop {
            self.following.listen();
            let (proof, position) = (self.proof.clone(), self.position);
            let read = self.core.store.read(move |tx| {
                proof.follows(tx, due)?;
                Ok((
                    revocation::past(tx, position, PAGE)?,
                    log::last_revocation(tx)?,
                ))
            });
            match read.await {
                Ok((None, head)) => {
                    (self.position, self.current) = (head, false);
                    return Ok(RevocationItem::Reset);
                }
                Ok((Some(revocations), _)) if !revocations.is_empty() => {
                    self.position = revocations.last().map_or(position, |last| last.id);
                    return Ok(RevocationItem::Revocations(revocations));
                }
                Ok(_) if !self.current => {
                    self.current = true;
                    return Ok(RevocationItem::UpToDate);
                }
                Ok(_) => self.following.woken().await?,
                Err(error) if error.is_failure() => return Err(error),
                Err(_) => return Ok(RevocationItem::Refused),
            }
        }
    }
}
