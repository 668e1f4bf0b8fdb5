//! The ends of grants, followed by resource servers: so they may keep what they were told of a
//! token, and still refuse it once it is revoked.

use std::sync::Arc;

use super::{
    Proof,
    revocation_feed::{Following, RevocationFeed},
};
use crate::{
    error::Result,
    model::{GrantEndId, Timestamp},
    session::Core,
    store::revocation::{self, GrantEnd},
};

/// Ends read from the store at a time.
const PAGE: usize = 200;

/// The ends of grants past a position, as they come.
pub struct Feed {
    core: Arc<Core>,
    proof: Proof,
    following: Following,
    position: GrantEndId,
    /// Whether it was said that everything up to the present has been told.
    current: bool,
}

/// What comes next in a feed.
pub enum Step {
    Ends(Vec<GrantEnd>),
    /// Everything that has ended so far was told.
    Current,
    /// Some ends will never be told; it goes on from the present.
    Reset,
    /// The app was removed, or what it proved itself with works no more.
    Over,
}

/// Follows the ends of grants from `after`, or from the present.
pub async fn follow(
    core: &Arc<Core>,
    feed: &RevocationFeed,
    proof: Proof,
    after: Option<GrantEndId>,
    due: Timestamp,
) -> Result<Feed> {
    let presented = proof.clone();
    let (app, head) = core
        .store
        .read(move |tx| Ok((presented.follows(tx, due)?, revocation::head(tx)?)))
        .await?;
    let following = feed.follow(app.id)?;
    Ok(Feed {
        core: core.clone(),
        proof,
        following,
        position: after.unwrap_or(head),
        current: false,
    })
}

impl Feed {
    /// Up to where ends have been told.
    pub fn position(&self) -> GrantEndId {
        self.position
    }

    /// Waits for what comes next. It can be dropped and called again without loss.
    pub async fn next(&mut self, due: Timestamp) -> Result<Step> {
        loop {
            self.following.listen();
            let (proof, position) = (self.proof.clone(), self.position);
            let read = self.core.store.read(move |tx| {
                proof.follows(tx, due)?;
                Ok((revocation::past(tx, position, PAGE)?, revocation::head(tx)?))
            });
            match read.await {
                Ok((None, head)) => {
                    (self.position, self.current) = (head, false);
                    return Ok(Step::Reset);
                }
                Ok((Some(ends), _)) if !ends.is_empty() => {
                    self.position = ends.last().map_or(position, |end| end.id);
                    return Ok(Step::Ends(ends));
                }
                Ok(_) if !self.current => {
                    self.current = true;
                    return Ok(Step::Current);
                }
                Ok(_) => self.following.woken().await?,
                Err(error) if error.is_failure() => return Err(error),
                Err(_) => return Ok(Step::Over),
            }
        }
    }
}
