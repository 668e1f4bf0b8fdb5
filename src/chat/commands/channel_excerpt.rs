//! What the answer to a JOIN shows of each channel: its topic and its members.
//!
//! A channel may have thousands of members, and one writer makes all changes. Therefore a JOIN
//! renders only a few names in the writer, and a reader shows larger channels after the commit. A
//! label stores only that such a channel has to be shown; the same label again shows it as it is
//! then. A JOIN of channels that the session is on already changes nothing, so it does not use the
//! writer.

use crate::{
    chat::{
        commands::label::Label,
        commands::lookup,
        commands::replies::Replies,
        commands::{
            answer::{Answer, Excerpt},
            context::CommandContext,
        },
        running::Chat,
    },
    error::Result,
    irc::{
        Reply,
        mode::Shown,
        params::TargetResults,
        reply::ERR_TOOMANYMATCHES,
        verbs::{
            channel::{RPL_TOPIC, RPL_TOPICWHOTIME},
            lookup::RPL_ENDOFNAMES,
        },
    },
    model::{Caller, ChannelName, Timestamp},
    session::Visibility,
    store::{
        Read,
        channel::{Channel, Topic},
        membership,
        session::{self, Session},
    },
};

/// Names that one JOIN renders in the writer, at most.
pub const MAX_NAMES: i64 = 200;

/// Shows a channel that was joined. If the channel has more than `left` members, a reader shows it
/// later. `left` is how many names the writer may still render for this JOIN.
pub fn show(context: &mut CommandContext, channel: &Channel, left: &mut i64) -> Result<()> {
    let members = membership::count_to(context.tx, channel.id, *left + 1)?;
    if members > *left {
        let before = context.answer.replies.len();
        context.answer.excerpts.push(Excerpt {
            before,
            channel: channel.name.to_string(),
        });
        return Ok(());
    }
    *left -= members;
    let mut replies = Replies::behind(&context.session, &context.answer.replies);
    render(context.tx, &context.session, &mut replies, channel)?;
    context
        .answer
        .replies
        .extend(replies.finish("JOIN", &channel.name));
    Ok(())
}

fn render(tx: &Read, me: &Session, replies: &mut Replies, channel: &Channel) -> Result<()> {
    if let Some(topic) = &channel.topic {
        topic_replies(me, &channel.name, topic)
            .into_iter()
            .for_each(|reply| replies.push(reply));
    }
    lookup::names_of(tx, replies, channel)
}

/// A topic, and who set it when: 332 and 333.
pub fn topic_replies(me: &Session, name: &ChannelName, topic: &Topic) -> [Reply; 2] {
    [
        Reply::numeric(RPL_TOPIC, &me.nick, &[name, &topic.text]),
        Reply::numeric(
            RPL_TOPICWHOTIME,
            &me.nick,
            &[name, &topic.set_by, &topic.set_at.seconds()],
        ),
    ]
}

impl Chat {
    /// The answer to a JOIN if the session is on all of its channels already. `None` if there is
    /// something to do.
    pub(super) async fn rejoin(
        &self,
        caller: Caller,
        joined: &TargetResults<(ChannelName, Option<String>)>,
        label: Option<&Label>,
        now: Timestamp,
    ) -> Result<Option<Answer>> {
        let names = joined
            .iter()
            .map(|item| item.as_ref().ok().map(|(name, _)| name.clone()));
        let Some(names) = names.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let known = label.cloned();
        let read = move |tx: &Read| match Label::answered(known.as_ref(), tx, caller)? {
            Some(first) => Ok(Some((true, first))),
            None => Ok(all_joined(tx, caller, names)?.map(|answer| (false, answer))),
        };
        let Some((answered, short)) = self.core.read_as(caller, read).await? else {
            return Ok(None);
        };
        let answer = self.complete(caller, short.clone()).await?;
        let Some(label) = label.filter(|_| !answered) else {
            return Ok(Some(answer));
        };
        let kept = if Label::has_room_for(&answer)? {
            answer.clone()
        } else {
            short
        };
        Ok(Some(
            match self.keep(caller, label.clone(), kept, now).await? {
                (Some(first), _) => self.complete(caller, first).await?,
                (None, added) => Answer { added, ..answer },
            },
        ))
    }

    /// Adds the channels that still have to be shown. If they cannot be read now, the answer says
    /// so, because the JOIN itself is done.
    pub(super) async fn complete(&self, caller: Caller, answer: Answer) -> Result<Answer> {
        if answer.excerpts.is_empty() {
            return Ok(answer);
        }
        let unread = answer.clone();
        match self
            .core
            .read_as(caller, move |tx| complete(tx, caller, answer))
            .await
        {
            Err(_) => Ok(incomplete(unread)),
            completed => completed,
        }
    }
}

/// The answer to a JOIN of these channels, if the session is on all of them.
fn all_joined(tx: &Read, caller: Caller, names: Vec<ChannelName>) -> Result<Option<Answer>> {
    let visibility = Visibility::of(tx, caller)?;
    let mut excerpts = Vec::new();
    for name in names {
        let Some(channel) = visibility.find_channel(&name)? else {
            return Ok(None);
        };
        if membership::get(tx, channel.id, caller.session)?.is_none() {
            return Ok(None);
        }
        excerpts.push(Excerpt {
            before: 0,
            channel: channel.name.to_string(),
        });
    }
    Ok(Some(Answer {
        excerpts,
        ..Answer::default()
    }))
}

fn complete(tx: &Read, caller: Caller, answer: Answer) -> Result<Answer> {
    let (visibility, me) = (
        Visibility::of(tx, caller)?,
        session::get(tx, caller.session)?,
    );
    let mut replies = Replies::new(&me);
    let mut excerpts = answer.excerpts.into_iter().peekable();
    let show = |replies: &mut Replies, name: String| {
        let name = ChannelName::stored(name);
        match visibility.find_channel(&name)? {
            Some(channel) if visibility.shown(&channel, me.id)? == Shown::Everything => {
                render(tx, &me, replies, &channel)
            }
            _ => {
                lookup::end_of_names(replies, &name);
                Ok(())
            }
        }
    };
    for (n, reply) in answer.replies.into_iter().enumerate() {
        while let Some(excerpt) = excerpts.next_if(|excerpt| excerpt.before <= n) {
            show(&mut replies, excerpt.channel)?;
        }
        replies.push(reply);
    }
    excerpts.try_for_each(|excerpt| show(&mut replies, excerpt.channel))?;
    Ok(Answer {
        replies: replies.finish("JOIN", &"*"),
        excerpts: Vec::new(),
        ..answer
    })
}

/// The answer without the members of those channels. A last reply says that it is incomplete.
fn incomplete(answer: Answer) -> Answer {
    let nobody = "*";
    let mut replies = answer.replies;
    for Excerpt { channel, .. } in &answer.excerpts {
        replies.push(Reply::command(
            RPL_ENDOFNAMES,
            &[&nobody, channel, &lookup::END_OF_NAMES],
        ));
    }
    let text = "You joined the channels, but their members did not fit into this answer. Use NAMES \
                to list them";
    replies.push(Reply::command(
        ERR_TOOMANYMATCHES,
        &[&nobody, &"JOIN", &nobody, &text],
    ));
    Answer {
        replies,
        excerpts: Vec::new(),
        ..answer
    }
}
