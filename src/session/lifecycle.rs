//! What ends with what. This is the one cascade: whatever ends a session, a client, a grant, an app
//! or a stay on a channel calls it, so all of it ends in one transaction, with its events, its audit
//! lines and its effects in memory.
//!
//! - A session ends with its last device. An API key's bot is no device.
//! - With a session end its clients, stays, grants, API keys, approvals and its nick.
//! - With a client end the grant it acts by, its labels, and what it approved and nobody redeemed.
//! - With a grant end its tokens, its client, the API keys made through it, and what its session
//!   approved for the same app beside it.
//! - With an app end its grants and the approvals for it.
//! - With the last stay on a channel the channel ends; with its last op another member becomes op.

use super::{audience, op_succession};
use crate::{
    audit::{Action, Subject},
    error::Result,
    model::{AppId, ChannelId, ClientId, EndReason, EventId, GrantId, SessionId, Timestamp},
    secret::SecretHash,
    store::{
        Effect, Write, app, audit, authorization_code, ban, channel, channel_history, client,
        conversation, device_code, grant, invite, label, log, membership, read_marker, revocation,
        session, session_mask, silence, sweep, target, token,
    },
};

/// What the last client of a session says as it leaves.
pub struct QuitMessage<'a> {
    /// The text of the QUIT.
    pub text: &'a str,
    /// The name of the app through whose grant it comes.
    pub app: Option<String>,
}

/// Ends a session: everyone who is to know of it gets one QUIT, which is returned. Its nick is free
/// and its password is gone.
pub fn end_session(
    tx: &Write,
    id: SessionId,
    reason: EndReason,
    message: Option<QuitMessage>,
    now: Timestamp,
) -> Result<EventId> {
    let session = session::get(tx, id)?;
    let channels = membership::channels_of(tx, id)?;
    let targets = audience::of(tx, &session)?;
    let text = message
        .as_ref()
        .map_or(reason.sentence(), |message| message.text);
    let quit = log::NewEvent {
        time: now,
        source: session.nick.as_str(),
        command: "QUIT",
        params: vec![text.to_owned()],
        origin: None,
        app: message.as_ref().and_then(|message| message.app.clone()),
        message: None,
    };
    let quit = log::append(tx, quit, &targets)?;
    for channel in channels {
        leave_channel(tx, id, channel, quit, now)?;
    }
    for device in client::live_of(tx, id)? {
        close_client(tx, id, device.id, reason, now)?;
    }
    end_apps_of(tx, id, now)?;
    session::end(tx, id, now)?;
    for channel in membership::remove_of_session(tx, id)? {
        sweep::note(tx, channel.into())?;
    }
    sweep::note(tx, id.into())?;
    invite::remove_of_session(tx, id)?;
    silence::remove_of_session(tx, id)?;
    session_mask::let_go(tx, id)?;
    conversation::remove_of_session(tx, id)?;
    let action = Action::SessionEnded(reason);
    audit::record(tx, action, &session.subject(Subject::default()), now)?;
    Ok(quit)
}

/// Ends what apps have of a session whose devices are gone.
fn end_apps_of(tx: &Write, id: SessionId, now: Timestamp) -> Result<()> {
    let reason = EndReason::SessionEnded;
    // Before their grants, which would look for the last device again.
    for bot in client::bots_of(tx, id)? {
        close_client(tx, id, bot, reason, now)?;
    }
    for (grant, _) in grant::live_of(tx, id)? {
        end_grant(tx, grant.id, reason, now)?;
    }
    for key in app::live_keys_of(tx, id)? {
        end_app(tx, key.id, reason, now)?;
    }
    authorization_code::remove_of_session(tx, id)?;
    device_code::remove_of_session(tx, id)
}

/// Ends a client. With the last device its session ends, and the session's QUIT is returned.
pub fn end_client(
    tx: &Write,
    session: SessionId,
    client: ClientId,
    reason: EndReason,
    message: Option<QuitMessage>,
    now: Timestamp,
) -> Result<Option<EventId>> {
    let was_device = close_client(tx, session, client, reason, now)?;
    if was_device && client::live_of(tx, session)?.is_empty() {
        end_session(tx, session, reason, message, now).map(Some)
    } else {
        Ok(None)
    }
}

/// Ends one client and what it has, whatever becomes of its session. Returns whether it was a device
/// that was live.
fn close_client(
    tx: &Write,
    session: SessionId,
    id: ClientId,
    reason: EndReason,
    now: Timestamp,
) -> Result<bool> {
    let Some(ended) = client::end(tx, id, reason, now)? else {
        return Ok(false);
    };
    if let Some(grant) = ended.grant {
        close_grant(tx, grant, reason, now)?;
    }
    authorization_code::remove_of_client(tx, session, id)?;
    device_code::remove_of_client(tx, session, id)?;
    label::remove_of_client(tx, id)?;
    tx.effect(Effect::ClientEnded {
        session,
        client: id,
        reason,
    });
    let subject = Subject {
        session: Some(session),
        client: Some(id),
        ..Subject::default()
    };
    audit::record(tx, Action::ClientLeft(reason), &subject, now)?;
    Ok(ended.is_device)
}

/// Ends a grant. With its client may end the last device, and so the session. A grant that has ended
/// stays as it is.
pub fn end_grant(tx: &Write, id: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some(grant) = grant::get(tx, id)? else {
        return Ok(());
    };
    match (grant.session, grant.client) {
        // The client takes its grant with it.
        (Some(session), Some(client)) => {
            end_client(tx, session, client, reason, None, now).map(drop)
        }
        _ => close_grant(tx, id, reason, now),
    }
}

/// Ends a grant and what hangs on it but its client, of which the caller takes care.
fn close_grant(tx: &Write, id: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some((app, session)) = grant::end(tx, id, now)? else {
        return Ok(());
    };
    token::remove_of_grant(tx, id)?;
    if let Some(session) = session {
        // What the app was allowed beside this grant ends with it, or the app would be back at once.
        authorization_code::void(tx, session, Some(app))?;
        device_code::void(tx, session, Some(app))?;
    }
    revocation::record_grant(tx, id, reason, now)?;
    tx.effect(Effect::GrantEnded { grant: id });
    for key in app::live_made_through(tx, id)? {
        end_app(tx, key, reason, now)?;
    }
    let subject = Subject {
        session,
        ..app::get(tx, app)?.subject()
    };
    audit::record(tx, Action::GrantRevoked(reason), &subject, now)
}

/// Ends an app or an API key, its grants, and the grants that it is about to get. One that has ended
/// stays as it is.
pub fn end_app(tx: &Write, id: AppId, reason: EndReason, now: Timestamp) -> Result<()> {
    let Some(app) = app::end(tx, id, now)? else {
        return Ok(());
    };
    for grant in grant::live_of_app(tx, id)? {
        end_grant(tx, grant, reason, now)?;
    }
    authorization_code::remove_of_app(tx, id)?;
    tx.effect(Effect::AppEnded);
    device_code::remove_of_app(tx, id)?;
    let action = if app.is_key() {
        Action::KeyRevoked(reason)
    } else {
        Action::AppRemoved
    };
    audit::record(tx, action, &app.subject(), now)
}

/// Ends the tokens of a grant that descend from an authorization code. The grant goes on.
pub fn end_tokens_of_code(
    tx: &Write,
    grant: GrantId,
    code: SecretHash,
    now: Timestamp,
) -> Result<()> {
    for secret in token::remove_of_code(tx, code)? {
        revocation::record_token(tx, grant, token::jti(secret), now)?;
        tx.effect(Effect::TokenEnded { secret });
    }
    Ok(())
}

/// Voids what a session has approved and nobody has redeemed, for one app or for all. A device that
/// polls is told that it was denied. Returns how many approvals it was.
pub fn void_approvals(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    let codes = authorization_code::void(tx, session, app)?;
    Ok(codes + device_code::void(tx, session, app)?)
}

/// Ends a session's stay on a channel with the event by which it left. The channel ends with its
/// last member, and op passes on with its last op.
pub fn leave_channel(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    until: EventId,
    now: Timestamp,
) -> Result<()> {
    let was_op = membership::close(tx, session, channel, until)?;
    forget_old_stays(tx, session)?;
    if membership::is_empty(tx, channel)? {
        return end_channel(tx, channel, now);
    }
    if was_op {
        op_succession::pass_on(tx, channel, now)
    } else {
        Ok(())
    }
}

/// Forgets all past stays of a session but the newest. What a client of it may have missed by that
/// is noted at the session.
fn forget_old_stays(tx: &Write, session: SessionId) -> Result<()> {
    for (channel, until) in membership::forget_old(tx, session)? {
        target::note_dropped(tx, session.into(), until)?;
        sweep::note(tx, channel.into())?;
    }
    Ok(())
}

fn end_channel(tx: &Write, id: ChannelId, now: Timestamp) -> Result<()> {
    channel::end(tx, id, now)?;
    ban::remove_of_channel(tx, id)?;
    invite::remove_of_channel(tx, id)?;
    // Nobody is on it to read its history.
    if channel_history::remove_of_channel(tx, id)? {
        sweep::note(tx, id.into())?;
    }
    read_marker::remove_of_channel(tx, id)
}
