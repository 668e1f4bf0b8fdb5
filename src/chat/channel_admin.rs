//! The operator's commands for a channel: show it, give op to a member, end it.

use crate::{
    audit::{Action, Subject},
    chat::commands::not_in_channel,
    chat::running::Chat,
    error::{Error, Result},
    model::{ChannelName, Nick, SERVER_NAME, Timestamp},
    session::{Visibility, lifecycle, op_succession},
    store::{
        Write, audit,
        ban::{self, Ban},
        channel::Channel,
        log,
        membership::{self, Member},
    },
};

/// Members removed in one transaction. Other writers get their turn between transactions.
const MEMBERS_PER_TRANSACTION: usize = 256;
/// The reason in the KICKs when the operator ends a channel.
const END_REASON: &str = "the server's operator ended this channel";

/// A channel as the operator sees it.
#[derive(Clone, Debug)]
pub struct ChannelDetails {
    /// The channel.
    pub channel: Channel,
    /// All its members.
    pub members: Vec<Member>,
    /// All its bans.
    pub bans: Vec<Ban>,
}

impl Chat {
    /// A live channel, its members and its bans. It fails with `no_such_channel`.
    pub async fn channel(&self, name: ChannelName) -> Result<ChannelDetails> {
        self.core
            .store
            .read(move |tx| {
                let channel = Visibility::unrestricted(tx).channel(&name)?;
                let (members, bans) = (
                    membership::of_channel(tx, channel.id)?,
                    ban::list(tx, channel.id)?,
                );
                Ok(ChannelDetails {
                    channel,
                    members,
                    bans,
                })
            })
            .await
    }

    /// Makes a member op in the server's name. Nothing happens if the member is op already.
    pub async fn give_op(&self, name: ChannelName, nick: Nick, now: Timestamp) -> Result<()> {
        self.core
            .store
            .write(move |tx| {
                let visibility = Visibility::unrestricted(tx);
                let (channel, session) = (visibility.channel(&name)?, visibility.session(&nick)?);
                let Some(member) = membership::get(tx, channel.id, session.id)? else {
                    return Err(not_in_channel(&session.nick, &channel));
                };
                if member.op {
                    return Ok(());
                }
                op_succession::give_op(tx, channel.id, session.id, now)?;
                record(
                    tx,
                    Action::OpGiven,
                    session.subject(Subject::default()),
                    &channel,
                    now,
                )
            })
            .await
    }

    /// Ends a channel: a KICK in the server's name removes every member. Ops are removed last, so
    /// that no other member becomes op. Sessions that join meanwhile are removed too. Returns how
    /// many were removed.
    pub async fn end_channel(&self, name: ChannelName, now: Timestamp) -> Result<usize> {
        let found = self
            .core
            .store
            .read(move |tx| Visibility::unrestricted(tx).channel(&name))
            .await?;
        let (mut removed, mut batch) = (0, MEMBERS_PER_TRANSACTION);
        while batch == MEMBERS_PER_TRANSACTION {
            let channel = found.clone();
            let first = removed == 0;
            batch = self
                .core
                .store
                .write(move |tx| {
                    let members = membership::ops_last(tx, channel.id, MEMBERS_PER_TRANSACTION)?;
                    if first {
                        // The last member may have left since the channel was found.
                        let gone = || Error::no_such_channel(&channel.name);
                        members.first().ok_or_else(gone)?;
                        record(tx, Action::ChannelEnded, Subject::default(), &channel, now)?;
                    }
                    members
                        .iter()
                        .try_for_each(|member| remove(tx, &channel, member, now))?;
                    Ok(members.len())
                })
                .await?;
            removed += batch;
        }
        tracing::info!(channel = %found.name, members = removed, "channel ended by the operator");
        Ok(removed)
    }
}

fn remove(tx: &Write, channel: &Channel, member: &Member, now: Timestamp) -> Result<()> {
    let draft = log::NewEvent {
        time: now,
        source: SERVER_NAME,
        command: "KICK",
        params: vec![
            channel.name.to_string(),
            member.nick.to_string(),
            END_REASON.into(),
        ],
        origin: None,
        app: None,
        message: None,
    };
    let until = log::append(tx, draft, &[channel.id.into()])?;
    lifecycle::leave_channel(tx, member.session, channel.id, until, now)
}

/// Records an operator's change of a channel in the audit log.
fn record(
    tx: &Write,
    action: Action,
    subject: Subject,
    channel: &Channel,
    now: Timestamp,
) -> Result<()> {
    audit::record(
        tx,
        action,
        &Subject {
            channel: Some(channel.name.to_string()),
            ..subject
        },
        now,
    )
}
