//! What every command has while it runs in its transaction: the caller, the time, and the growing
//! answer.

use std::fmt::Display;

use crate::{
    chat::{channel_key_guesses::KeyRefusals, commands::answer::Answer, lookalikes::Lookalikes},
    error::{Error, Result},
    irc::{Reply, params::TargetResults},
    model::{Caller, ChannelName, EventId, Nick, TargetId, Timestamp},
    session::{Limits, Visibility, audience},
    store::{
        Write, app_grant,
        channel::Channel,
        log::{self, NewEvent, Origin, Recipient},
        membership::{self, Member},
        session::{self, Session},
    },
};

/// A command being carried out.
pub struct CommandContext<'a> {
    /// The command's transaction.
    pub tx: &'a Write<'a>,
    /// The caller.
    pub caller: Caller,
    /// What the caller sees. Commands find all their channels and sessions through it.
    pub visibility: Visibility<'a>,
    /// The caller's session as it was when the command began.
    pub session: Session,
    /// The label of the request, if it has one.
    pub label: Option<&'a str>,
    /// The name of the app, if the request comes through a grant.
    app: Option<String>,
    /// The time of the request.
    pub now: Timestamp,
    /// What sessions may have.
    pub limits: &'a Limits,
    /// Finds channel names that look alike.
    pub lookalikes: &'a Lookalikes,
    /// The channels whose keys the session may not try now.
    pub key_refusals: &'a KeyRefusals,
    /// The answer so far.
    pub answer: Answer,
}

impl<'a> CommandContext<'a> {
    /// Prepares a command of this caller.
    pub fn new(
        tx: &'a Write<'a>,
        caller: Caller,
        label: Option<&'a str>,
        now: Timestamp,
        limits: &'a Limits,
        lookalikes: &'a Lookalikes,
        key_refusals: &'a KeyRefusals,
    ) -> Result<Self> {
        let session = session::get(tx, caller.session)?;
        let app = caller
            .grant()
            .map(|grant| app_grant::app_name(tx, grant))
            .transpose()?;
        let visibility = Visibility::of(tx, caller)?;
        Ok(Self {
            tx,
            caller,
            visibility,
            session,
            label,
            app,
            now,
            limits,
            lookalikes,
            key_refusals,
            answer: Answer::default(),
        })
    }

    /// The session's nick as it was when the command began.
    pub fn nick(&self) -> &Nick {
        &self.session.nick
    }

    /// The name of the app, if the request comes through a grant.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// Appends an event of this session, addressed to `targets`, and notes its id in the answer.
    pub fn emit(
        &mut self,
        command: &'static str,
        params: &[&dyn Display],
        targets: &[TargetId],
    ) -> Result<EventId> {
        let id = log::append(self.tx, self.new_event(command, params), targets)?;
        self.answer.ids.push(id);
        Ok(id)
    }

    /// Appends a message of this session, addressed to `targets`, and notes its id in the answer.
    pub fn emit_message(
        &mut self,
        command: &'static str,
        to: Recipient,
        params: &[&dyn Display],
        targets: &[TargetId],
    ) -> Result<EventId> {
        let event = NewEvent {
            message: Some((self.caller.session, to)),
            ..self.new_event(command, params)
        };
        let id = log::append(self.tx, event, targets)?;
        self.answer.ids.push(id);
        Ok(id)
    }

    /// An event of this session that is not in the log yet.
    pub fn new_event(&self, command: &'static str, params: &[&dyn Display]) -> NewEvent<'_> {
        NewEvent {
            time: self.now,
            source: self.session.nick.as_str(),
            command,
            params: params.iter().map(|p| p.to_string()).collect(),
            origin: self.origin(),
            app: self.app.clone(),
            message: None,
        }
    }

    fn origin(&self) -> Origin {
        Some((self.caller.client, self.label.map(str::to_owned)))
    }

    /// Adds a numeric to the answer's replies.
    pub fn reply(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.answer
            .replies
            .push(Reply::numeric(numeric, &self.session.nick, params));
    }

    /// The session's channels and the session itself. It fails with `insufficient_scope` for a
    /// confined caller, whose actions must not be seen outside its grant.
    pub fn own_targets(&self) -> Result<Vec<TargetId>> {
        self.visibility.require_unrestricted()?;
        audience::own_targets(self.tx, self.caller.session)
    }

    /// Runs `command` for each target. Refused targets become error numerics among the replies. If
    /// every target is refused, it fails with the first refusal.
    pub fn for_each_target<T>(
        &mut self,
        verb: &'static str,
        items: TargetResults<T>,
        mut command: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        let mut first_refusal = None;
        let mut done = 0;
        for item in items {
            match item.and_then(|item| command(self, item)) {
                Ok(()) => done += 1,
                Err(error) => self.refuse(verb, error, &mut first_refusal)?,
            }
        }
        first_refusal.filter(|_| done == 0).map_or(Ok(()), Err)
    }

    /// Adds the refusal of one target as an error numeric. A failure of the server fails the whole
    /// command.
    pub fn refuse(
        &mut self,
        verb: &'static str,
        error: Error,
        first: &mut Option<Error>,
    ) -> Result<()> {
        if error.is_failure() {
            return Err(error);
        }
        self.answer
            .replies
            .push(Reply::error(&error, verb, &self.session.nick));
        first.get_or_insert(error);
        Ok(())
    }

    /// A channel that the session is on, and its membership there. It fails with `no_such_channel`
    /// or `not_on_channel`.
    pub fn own_channel(&self, name: &ChannelName) -> Result<(Channel, Member)> {
        let channel = self.visibility.channel(name)?;
        let member = membership::get(self.tx, channel.id, self.caller.session)?;
        let member = member.ok_or_else(|| Error::not_on_channel(&channel.name))?;
        Ok((channel, member))
    }
}
