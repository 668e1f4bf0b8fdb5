//! Grants as their session, the operator and their app see them.

use super::apps;
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{EndReason, GrantId, Moment, Nick, SessionId, Timestamp},
    session::{Core, LiveClient, Visibility, admin::Named, invalid_token, lifecycle},
    store::{
        Priority,
        app::{self, App},
        app_grant::{self, Grant},
        approval::{self, Approval},
        audit,
        channel::Channel,
        membership::{self, Member},
        session,
    },
};

/// The session's live grants, oldest first, each with its app.
pub async fn list(core: &Core, live: &LiveClient) -> Result<Vec<(Grant, App)>> {
    let caller = live.caller;
    core.read_as(caller, move |tx| app_grant::live_of(tx, caller.session))
        .await
}

/// An approval that no app has redeemed yet.
#[derive(Debug)]
pub struct Pending {
    /// What was approved.
    pub approval: Approval,
    /// The app that it was approved for.
    pub app: App,
}

/// Lists what the session has approved and no app has redeemed yet, soonest expiry first.
pub async fn pending(
    core: &Core,
    live: &LiveClient,
    Moment { due, .. }: Moment,
) -> Result<Vec<Pending>> {
    let caller = live.caller;
    core.read_as(caller, move |tx| {
        let with_app = |approval: Approval| {
            Ok(Pending {
                app: app::get(tx, approval.app)?,
                approval,
            })
        };
        approval::pending_of(tx, caller.session, due)?
            .into_iter()
            .map(with_app)
            .collect()
    })
    .await
}

/// Withdraws the approvals of this session that the app has not redeemed yet. Fails with
/// `not_found` if there are none.
pub async fn withdraw(
    core: &Core,
    live: &LiveClient,
    client_id: String,
    now: Timestamp,
) -> Result<()> {
    let caller = live.caller;
    core.write_as(caller, Priority::Essential, move |tx| {
        let none = || {
            Error::new(
                Code::NotFound,
                "this session has no pending approval for this app",
            )
        };
        let app = app::by_client_id(tx, &client_id)?.ok_or_else(none)?;
        if lifecycle::void_approvals(tx, caller.session, Some(app.id))? == 0 {
            return Err(none());
        }
        let by = Subject {
            session: Some(caller.session),
            client: Some(caller.client),
            ..app.subject()
        };
        audit::record(tx, Action::ApprovalWithdrawn, &by, now)
    })
    .await
}

/// The error `not_found`: the session has no live grant with this id.
pub fn no_such_grant() -> Error {
    Error::new(Code::NotFound, "this session has no such grant")
}

/// Revokes one of the session's grants, with its tokens and its client. Fails with `not_found` if
/// the session has no such grant.
pub async fn revoke(core: &Core, live: &LiveClient, id: GrantId, now: Timestamp) -> Result<()> {
    let caller = live.caller;
    core.write_as(caller, Priority::Essential, move |tx| {
        if app_grant::get(tx, id)?.is_none_or(|grant| grant.session() != Some(caller.session)) {
            return Err(no_such_grant());
        }
        lifecycle::end_grant(tx, id, EndReason::Revoked, now)
    })
    .await
}

/// A grant as the operator sees it.
#[derive(Debug)]
pub struct Standing {
    /// The grant.
    pub grant: Grant,
    /// The app that it was given to.
    pub app: App,
    /// The nick of the session that the app acts as. `None` if the app acts for itself.
    pub nick: Option<Nick>,
}

/// Lists the live grants with ids past `after`, in the order of their ids. An app or API key, a
/// session, or both narrow the list.
pub async fn standing(
    core: &Core,
    client_id: Option<String>,
    session: Option<Named>,
    after: GrantId,
    limit: usize,
) -> Result<Vec<Standing>> {
    core.store
        .read(move |tx| {
            let app = client_id
                .map(|client_id| apps::live(tx, &client_id))
                .transpose()?;
            let session = session.map(|named| named.find(tx)).transpose()?;
            let grants = app_grant::page(
                tx,
                app.map(|app| app.id),
                session.map(|session| session.id),
                after,
                limit,
            )?;
            let with_nick = |(grant, app): (Grant, App)| {
                let nick = grant
                    .session()
                    .map(|id| session::get(tx, id))
                    .transpose()?
                    .map(|session| session.nick);
                Ok(Standing { grant, app, nick })
            };
            grants.into_iter().map(with_nick).collect()
        })
        .await
}

/// Revokes a grant for the operator, with its tokens and its client. Fails with `not_found` if
/// there is no such live grant.
pub async fn remove(core: &Core, id: GrantId, now: Timestamp) -> Result<()> {
    core.store
        .write(move |tx| {
            let none = || Error::new(Code::NotFound, format!("there is no live grant {id}"));
            let grant = app_grant::get(tx, id)?.ok_or_else(none)?;
            let subject = app::get(tx, grant.app)?.subject();
            audit::record(
                tx,
                Action::ByOperator,
                &Subject {
                    session: grant.session(),
                    ..subject
                },
                now,
            )?;
            lifecycle::end_grant(tx, id, EndReason::Revoked, now)
        })
        .await?;
    tracing::info!(grant = %id, "grant revoked by the operator");
    Ok(())
}

/// The identity of a session.
#[derive(Debug)]
pub struct Identity {
    /// The session's id.
    pub session: SessionId,
    /// The session's nick.
    pub nick: Nick,
    /// The channels of the session that the grant lets the caller see, with the session's
    /// membership.
    pub channels: Vec<(Channel, Member)>,
}

/// The identity of the session that gave a grant. The grant needs no client for this. Fails with
/// `invalid_token` if the grant has ended.
pub async fn identity(core: &Core, grant: GrantId, session: SessionId) -> Result<Identity> {
    core.store
        .read(move |tx| {
            let grant = app_grant::get(tx, grant)?.ok_or_else(invalid_token)?;
            let mut channels = Vec::new();
            for channel in Visibility::for_grant(tx, &grant).channels_of(session)? {
                let own = membership::get(tx, channel.id, session)?;
                channels.extend(own.map(|member| (channel, member)));
            }
            Ok(Identity {
                session,
                nick: session::get(tx, session)?.nick,
                channels,
            })
        })
        .await
}
