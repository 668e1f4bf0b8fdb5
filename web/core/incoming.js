// @ts-check
// What an event from the queue changes, and what it tells the reader.

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
 * What this needs to know of the page, and tells it.
 * @typedef {object} Screen
 * @property {() => boolean} isWatched whether the reader has the page before their eyes
 * @property {() => boolean} isAttentive whether they also see the newest messages
 * @property {(event: ChatEvent, conversation: Conversation) => void} notify
 * @property {() => void} devicesChanged
 */

/** Events further back in the log than this are acknowledged in any case. */
const MAX_HELD = 5_000;
/** Where the storage has the newest event that was told. */
const TOLD = "told";

export class Incoming {
  #chat;
  #outbox;
  #screen;
  #acknowledge;
  /** Events are handled one after the other, however long one waits for a snapshot. */
  #queue = Promise.resolve();
  #newest = 0;
  /** What was told up to here is not told again after a reload. */
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

  /** Loads what a break of the connection may have left out. */
  connected() {
    const unread = this.#session.directs().filter((one) => one.unreadCount > 0);
    // An unread direct message is lost when its sender leaves, because its history goes, too.
    void this.#chat.loadAll([this.#chat.current, ...unread]);
    this.#fileEarlier();
  }

  /**
   * Acknowledges what is handled. What the server said, and people who may leave, has to come again
   * after a reload until it is seen.
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
   * Puts the "New" line before the first message that came while the reader was away.
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
   * Tells what does not belong to the conversations; true if there was something to tell.
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
   * Takes over how far the reader has read on another device.
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
    // Only the history tells how much is unread after the marker.
    if (!conversation.loaded) {
      await this.#chat.load(conversation);
    }
    this.#session.markRead(conversation, id);
    this.#chat.changed();
  }

  /**
   * Starts anew from a snapshot: the server has removed events that were still in the queue.
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
   * Makes sure that a channel that the session joined is known; false if it has left it since.
   * @param {string} name
   */
  async #adoptChannel(name) {
    const session = this.#session;
    if (session.channel(name)) {
      return true;
    }
    return session.adoptChannel(await takeSnapshot(), name);
  }

  /** Opens another conversation if the one on the screen is closed. A draft then stays in sight. */
  #leaveClosed() {
    const session = this.#session;
    const { kind, name, draft } = this.#chat.current;
    if (kind === "channel" && session.find(name) !== this.#chat.current) {
      const other = draft ? session.browse : this.#chat.home();
      this.#chat.open(session.find(name) ?? other);
    }
    this.#chat.changed();
  }

  /** Files direct messages from before the snapshot, once the histories show whose they are. */
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
 * A snapshot. Without it the page's state would be wrong, so this asks until it comes.
 * @returns {Promise<Snapshot>}
 */
const takeSnapshot = () => get("/session", Infinity);
