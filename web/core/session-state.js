// @ts-check
// The session as this page knows it: a snapshot, and the events after it. Nothing here draws or
// sends requests.

import { Conversation, WITHOUT_HISTORY, isMessage } from "./conversation.js";
import { fold, same } from "./names.js";
import { mentions } from "./text.js";

/** @import { ChatEvent, ReadState, Snapshot } from "./types.js" */

/** The source of the server's own notices. */
export const SERVER = "rejoin.server";

export class SessionState {
  server = new Conversation("server", "Server messages", WITHOUT_HISTORY);
  browse = new Conversation("browse", "Join a channel", WITHOUT_HISTORY);
  /**
   * Direct messages from before the snapshot that are in no conversation yet.
   * @type {ChatEvent[]}
   */
  earlier = [];
  /** Channels and direct conversations, by folded name. @type {Map<string, Conversation>} */
  #conversations = new Map();
  #profile;
  #cursor;

  /** @param {Snapshot} snapshot */
  constructor(snapshot) {
    this.#profile = snapshot.session;
    this.#cursor = snapshot.cursor;
    this.adopt(snapshot);
  }

  /** All channels and direct conversations. */
  get all() {
    return [...this.#conversations.values()];
  }

  get nick() {
    return this.#profile.nick;
  }

  set nick(nick) {
    this.#profile.nick = nick;
  }

  /** The away text; empty if the session is not away. */
  get away() {
    return this.#profile.away ?? "";
  }

  set away(text) {
    this.#profile.away = text;
  }

  get hasPassword() {
    return this.#profile.has_password;
  }

  set hasPassword(hasPassword) {
    this.#profile.has_password = hasPassword;
  }

  /** The position of the log at the snapshot. */
  get cursor() {
    return this.#cursor;
  }

  /** @param {string} nick */
  isMe(nick) {
    return same(nick, this.nick);
  }

  /** @param {{ mine?: boolean, source: string }} item */
  isMine({ mine, source }) {
    return mine ?? this.isMe(source);
  }

  /**
   * Whether a message is for the user: it contains the nick, or it is a direct message.
   * @param {{ mine?: boolean, source: string, params: string[] }} item
   * @param {{ kind: string }} conversation
   */
  isForMe(item, { kind }) {
    if (this.isMine(item)) {
      return false;
    }
    return kind !== "channel" || mentions(item.params[1], this.nick);
  }

  /**
   * Adds an event to a conversation, and counts it if it is unread.
   * @param {ChatEvent} event
   * @param {Conversation} conversation
   */
  show(event, conversation) {
    conversation.add(event);
    const known = conversation.since ?? this.cursor;
    const isNew = event.id > Math.max(conversation.read, known);
    if (isMessage(event) && !this.isMine(event) && isNew) {
      conversation.unreadCount += 1;
      conversation.mentioned ||= this.isForMe(event, conversation);
    }
  }

  /**
   * Marks a conversation as read up to an event.
   * @param {Conversation} conversation
   * @param {number} id
   */
  markRead(conversation, id) {
    conversation.read = Math.max(conversation.read, id);
    const unread = this.unreadIn(conversation);
    conversation.unreadCount = unread.length;
    conversation.mentioned = unread.some((item) =>
      this.isForMe(item, conversation),
    );
  }

  /**
   * The messages of others in a conversation that are unread, as far as they are loaded.
   * @param {Conversation} conversation
   * @returns {ChatEvent[]}
   */
  unreadIn({ items, read }) {
    return items
      .filter(isMessage)
      .filter((item) => item.id > read && !this.isMine(item));
  }

  /** @param {string} name */
  find(name) {
    return this.#conversations.get(fold(name));
  }

  /** @param {string} name */
  channel(name) {
    const found = this.find(name);
    return found?.kind === "channel" ? found : undefined;
  }

  channels() {
    return this.#sorted("channel");
  }

  directs() {
    return this.#sorted("direct");
  }

  /**
   * The direct conversation with a nick. It is created if there is none.
   * @param {string} nick
   */
  direct(nick) {
    return this.find(nick) ?? this.put(new Conversation("direct", nick));
  }

  /** @param {number} session */
  directWith(session) {
    return this.directs().find((direct) => direct.session === session);
  }

  /** @param {Conversation} conversation */
  close(conversation) {
    this.#conversations.delete(fold(conversation.name));
  }

  /** @param {Snapshot} snapshot */
  adopt(snapshot) {
    this.#profile = snapshot.session;
    this.#cursor = snapshot.cursor;
    for (const channel of this.channels()) {
      if (!snapshot.channels.some(({ name }) => same(name, channel.name))) {
        this.close(channel);
      }
    }
    for (const { name } of snapshot.channels) {
      this.adoptChannel(snapshot, name);
    }
    for (const { nick, session, ended, ...state } of snapshot.directs) {
      const direct = ended ? this.#past(nick, session) : this.direct(nick);
      direct.session = session;
      this.#adoptReadState(direct, state);
    }
  }

  /**
   * Takes one channel from a snapshot; false if the snapshot does not have it.
   * @param {Snapshot} snapshot
   * @param {string} name
   */
  adoptChannel({ channels, cursor }, name) {
    const found = channels.find((channel) => same(channel.name, name));
    if (!found) {
      return false;
    }
    const channel =
      this.channel(name) ?? this.put(new Conversation("channel", found.name));
    channel.topic = found.topic;
    channel.since = cursor;
    channel.modes = new Set(found.modes.split(" ")[0].slice(1));
    channel.members = new Map(
      found.members.map((member) => [fold(member.nick), member]),
    );
    this.#adoptReadState(channel, found);
    return true;
  }

  /**
   * @param {Conversation} conversation
   * @param {ReadState} state
   */
  #adoptReadState(conversation, { read, unread }) {
    if (read < conversation.read) {
      // This page has read further than the server knows.
      this.markRead(conversation, conversation.read);
    } else {
      conversation.read = read;
      conversation.unreadCount = unread.count;
      conversation.mentioned = unread.mention;
    }
    if (conversation.kind === "direct") {
      // Every direct message is for the user.
      conversation.mentioned = conversation.unreadCount > 0;
    }
  }

  /**
   * The conversation with a session that has ended.
   * @param {string} nick
   * @param {number} session
   */
  #past(nick, session) {
    const known = this.directWith(session);
    return known ?? this.put(new Conversation("direct", this.#unused(nick)));
  }

  /**
   * The nick with "(left)" after it, as a name that no conversation has yet.
   * @param {string} nick
   */
  #unused(nick) {
    let name = `${nick} (left)`;
    while (this.find(name)) {
      name += " (left)";
    }
    return name;
  }

  /**
   * Shows the earlier direct messages that are in no history, because the other session has ended.
   */
  fileEarlier() {
    const directs = this.directs();
    for (const event of this.earlier.splice(0)) {
      if (directs.some(({ ids }) => ids.has(event.id))) {
        continue;
      }
      const nick = this.isMine(event) ? event.params[0] : event.source;
      const name = `${nick} (left)`;
      const fields = { ...WITHOUT_HISTORY, read: event.id - 1 };
      const direct =
        this.find(name) ?? this.put(new Conversation("direct", name, fields));
      this.show(event, direct);
    }
  }

  /**
   * Renames a direct conversation whose nick is free now, or belongs to another session.
   * @param {Conversation} direct
   */
  setAside(direct) {
    this.close(direct);
    direct.name = this.#unused(direct.name);
    this.put(Object.assign(direct, WITHOUT_HISTORY));
  }

  /**
   * The conversations that an event of a nick changes: its channels, and the direct conversation
   * with it.
   * @param {number} id
   * @param {string} nick
   */
  involving(id, nick) {
    return this.all.filter(({ kind, name, members, since = 0 }) =>
      kind === "channel"
        ? id > since && members?.has(fold(nick))
        : id > this.cursor && same(name, nick),
    );
  }

  /**
   * Adds a conversation under its current name.
   * @param {Conversation} conversation
   */
  put(conversation) {
    this.#conversations.set(fold(conversation.name), conversation);
    return conversation;
  }

  /** @param {string} kind */
  #sorted(kind) {
    return this.all
      .filter((conversation) => conversation.kind === kind)
      .sort((a, b) => a.name.localeCompare(b.name));
  }
}
