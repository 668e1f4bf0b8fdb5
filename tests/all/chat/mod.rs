//! Channels, messages and commands: the effect of each, and who is told of it.

mod channel_list;
mod channel_names;
mod commands;
mod contacts;
mod conversations;
mod event_times;
mod history;
mod join;
mod labels;
mod message_text;
mod modes;
mod op_succession;
mod private_channels;
mod silence;
mod snapshot_cache;
mod unread;
