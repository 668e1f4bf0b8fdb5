// @ts-check
// Handles the events of the queue: updates the state and informs the user.

import { get } from "./api.js";
import { applyEvent } from "./apply-event.js";
import { isMessage } from "./conversation.js";
import { kickReason } from "./describe.js";
import { SERVER } from "./session-state.js";
import { plain } from "./text.js";

/** @import { Chat } from "./chat.js" */
/** @import { Outbox } from "./outbox.js" */
/** @import { Conversation } from "./conversation.js" */
/** @import { ChatEvent, Snapshot } from "./types.js" */

/**
 * The parts of the page that this module needs.
 * @typedef {object} Screen
 * @property {() => boolean} isWatched whether the page is visible and has the focus
 * @property {() => boolean} isAttentive whether the newest messages are visible, too
 * @property {(event: ChatEvent, conversation: Conversation) => void} notify
 * @property {() => void} devicesChanged
 */

/** The most events that stay unacknowledged until the user has seen them. */
const MAX_HELD = 5_000;
/** The storage key of the newest event that the user was told about. */
const TOLD = "told";

export class Incoming {
  #chat;
  #outbox;
  #screen;
  #acknowledge;
  /** Events are handled one at a time, even while one waits for a snapshot. */
  #queue = Promise.resolve();
  #newest = 0;
  /** Events up to this one are not told again after a reload. */
  #told = Number(sessionStorage.getItem(TOLD));
  /** @type {Promise<void> | null} */
  #filing = null;

  /**
   * @param {Chat} chat
   * @param {Outbox} outbox
   * @param {Screen} screen
   * @param {(id: number) => void} acknowledge
   */
  constructor(chat, outbox, screen, acknowledge) {
    this.#chat = chat;
    this.#outbox = outbox;
    this.#screen = screen;
    this.#acknowledge = acknowledge;
    chat.session.server.read = this.#told;
  }

  /** @param {ChatEvent} event */
  receive(event) {
    this.#queue = this.#queue
      .then(() => this.#handle(event))
      .catch(console.error)
      .then(() => {
        this.#newest = Math.max(this.#newest, event.id);
        this.draw();
        void this.#chat.loadAll([this.#chat.current]);
      });
  }

  /** Loads what may have been missed while disconnected. */
  connected() {
    const unread = this.#session.directs().filter((one) => one.unreadCount > 0);
    // An unread direct message is lost when its sender leaves, because the history is deleted, too.
    void this.#chat.loadAll([this.#chat.current, ...unread]);
    this.#fileEarlier();
  }

  /**
   * Acknowledges events that are handled. Unread server messages and direct messages are not
   * acknowledged, so that they arrive again after a reload.
   */
  draw() {
    const { session } = this.#chat;
    const unseen = [session.server, ...session.directs()].flatMap((one) =>
      session.unreadIn(one).slice(0, 1),
    );
    const held = [...unseen, ...session.earlier].map(({ id }) => id - 1);
    const id = Math.min(this.#newest, ...held);
    this.#acknowledge(Math.max(id, this.#newest - MAX_HELD));
  }

  get #session() {
    return this.#chat.session;
  }

  /** @param {ChatEvent} event */
  async #handle(event) {
    const { id, source, command, params } = event;
    if (command === "WARN") {
      await this.#closeGap(Number(params[3]));
      return;
    }
    if (command === "MARKREAD") {
      await this.#adoptReadMarker(params);
      return;
    }
    const session = this.#session;
    const isNew = id > session.cursor;
    const isMine = session.isMe(source);
    const isJoin = isNew && isMine && command === "JOIN";
    if (isJoin && !(await this.#adoptChannel(params[0]))) {
      return;
    }
    this.#outbox.arrived(event);
    for (const conversation of applyEvent(session, event)) {
      session.show(event, conversation);
      this.#shown(event, conversation, isNew, isMine);
    }
    this.#fileEarlier();
    const joined = isJoin && session.channel(params[0]);
    if (joined) {
      this.#chat.joined(joined);
    }
    this.#leaveClosed();
    if (id > this.#told && this.#tellAside(event) && this.#screen.isWatched()) {
      this.#told = id;
      sessionStorage.setItem(TOLD, String(id));
    }
  }

  /**
   * @param {ChatEvent} event
   * @param {Conversation} conversation
   * @param {boolean} isNew
   * @param {boolean} isMine
   */
  #shown(event, conversation, isNew, isMine) {
    const isOnScreen = conversation === this.#chat.current;
    if (!isOnScreen) {
      conversation.trim();
    } else if (isMessage(event)) {
      this.#placeNewLine(conversation, isMine);
    }
    if (!isNew || !isMessage(event)) {
      return;
    }
    this.#screen.notify(event, conversation);
    if (isOnScreen && !this.#session.isMine(event)) {
      this.#chat.announce(`${event.source}: ${plain(event.params[1])}`);
    }
  }

  /**
   * Puts the "New" line before the first message that arrived while the user was away.
   * @param {Conversation} conversation
   * @param {boolean} isMine
   */
  #placeNewLine(conversation, isMine) {
    const isAttentive = this.#screen.isAttentive();
    if (isMine && isAttentive) {
      conversation.newFrom = null;
    } else if (!isMine && conversation.unreadCount === 1 && !isAttentive) {
      conversation.newFrom = conversation.read;
    }
  }

  /**
   * Shows an event that belongs to no conversation. Returns whether there was something to show.
   * @param {ChatEvent} event
   */
  #tellAside({ id, time, source, command, params }) {
    const [target, subject, reason] = params;
    const session = this.#session;
    if (command === "NOTICE" && source === SERVER) {
      if (this.#chat.current.kind !== "server") {
        this.#chat.addLine(subject, { kind: "server", time });
      }
      if (this.#screen.isWatched()) {
        session.markRead(session.server, id);
      }
      void this.#chat.refreshSession();
      this.#screen.devicesChanged();
      return true;
    }
    if (command === "INVITE" && session.isMe(target)) {
      const run = () => this.#chat.join(subject).catch(this.#chat.explain);
      const action = { name: "Join", run };
      this.#chat.tell(`${source} invites you to ${subject}. `, {
        time,
        action,
      });
      return true;
    }
    if (command === "KICK" && session.isMe(subject)) {
      const why = kickReason(source, reason);
      this.#chat.tell(`You were removed from ${target} by ${source}${why}`, {
        time,
      });
      return true;
    }
    return false;
  }

  /**
   * Adopts a read marker that another device has moved.
   * @param {string[]} params the target, the marker, and the session if it has ended
   */
  async #adoptReadMarker([target, marker, ended]) {
    const id = Number(marker);
    const conversation = ended
      ? this.#session.directWith(Number(ended))
      : this.#session.find(target);
    if (!conversation || id <= conversation.read) {
      return;
    }
    // Only the history says how many messages after the marker are unread.
    if (!conversation.loaded) {
      await this.#chat.load(conversation);
    }
    this.#session.markRead(conversation, id);
    this.#chat.changed();
  }

  /**
   * Starts again from a snapshot, because the server removed events that were still in the queue.
   * @param {number} last the last event that was removed
   */
  async #closeGap(last) {
    const session = this.#session;
    session.adopt(await takeSnapshot());
    for (const conversation of [...session.all, session.server]) {
      if (conversation.kind === "direct") {
        conversation.loaded = false;
      }
      conversation.addLine(
        "Some messages were removed before this device could receive them.",
        last,
        { kind: "gap" },
      );
    }
    this.#leaveClosed();
    void this.#chat.loadAll([this.#chat.current]);
  }

  /**
   * Makes sure that a channel that the session joined is known. Returns false if it has left it
   * since.
   * @param {string} name
   */
  async #adoptChannel(name) {
    const session = this.#session;
    if (session.channel(name)) {
      return true;
    }
    return session.adoptChannel(await takeSnapshot(), name);
  }

  /** Opens another conversation if the one on the screen is closed. A draft stays visible. */
  #leaveClosed() {
    const session = this.#session;
    const { kind, name, draft } = this.#chat.current;
    if (kind === "channel" && session.find(name) !== this.#chat.current) {
      const other = draft ? session.browse : this.#chat.home();
      this.#chat.open(session.find(name) ?? other);
    }
    this.#chat.changed();
  }

  /**
   * Adds direct messages from before the snapshot to conversations, once the histories are loaded.
   */
  #fileEarlier() {
    const [first] = this.#session.earlier;
    if (!first || this.#filing) {
      return;
    }
    this.#filing = this.#loadBackTo(first.id).then(() => {
      this.#filing = null;
      this.#session.fileEarlier();
      this.#chat.changed();
    });
  }

  /** @param {number} id */
  async #loadBackTo(id) {
    for (const direct of this.#session.directs()) {
      while (direct.more && !(direct.before && direct.before <= id)) {
        await this.#chat.load(direct);
      }
    }
  }
}

/**
 * Gets a snapshot. The page's state would be wrong without it, so this tries until it succeeds.
 * @returns {Promise<Snapshot>}
 */
const takeSnapshot = () => get("/session", Infinity);
