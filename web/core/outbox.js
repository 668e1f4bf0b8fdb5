// @ts-check
// Drafts, and messages that are being sent.

import { messageOf, Problem, randomLabel, sleep } from "./api.js";
import { Conversation } from "./conversation.js";
import { isNick } from "./names.js";

/** @import { Chat } from "./chat.js" */
/** @import { PendingMessage } from "./types.js" */

const MAX_TRIES = 5;
/** The server keeps labels for at least this time, in milliseconds. */
const RESUMABLE = 86_400_000;

export class Outbox {
  #chat;
  /** Messages are sent one at a time, because two requests at once could overtake each other. */
  #queue = Promise.resolve();
  /** Conversations with a draft or a message that is being sent. @type {Conversation[]} */
  #kept = [];

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /** Restores drafts and messages after a reload, and warns before the page is closed. */
  start() {
    addEventListener("beforeunload", (event) => {
      const unsent = this.#kept.some(({ pending }) => pending.length > 0);
      if (!this.#chat.over && unsent) {
        event.preventDefault();
      }
    });
    for (const { name, draft, pending } of readStorage(this.#storageKey)) {
      for (const message of pending) {
        if (message.state !== "refused") {
          message.state = "lost";
        }
      }
      const conversation = this.#conversation(name);
      conversation.draft = draft;
      conversation.pending = pending;
      this.#kept.push(conversation);
    }
  }

  get #storageKey() {
    return String(this.#chat.client);
  }

  /** @param {string} name */
  #conversation(name) {
    const { session } = this.#chat;
    const own = [session.browse, session.server];
    const known = own.find((one) => one.name === name) ?? session.find(name);
    if (known) {
      return known;
    }
    // A conversation that was closed meanwhile is kept only until `draw` reports what was in it.
    return isNick(name)
      ? session.direct(name)
      : new Conversation("direct", name);
  }

  /**
   * Stores everything, so that it survives a reload. Reports what belongs to closed conversations.
   */
  draw() {
    const { all, browse, server } = this.#chat.session;
    const open = [...all, browse, server];
    for (const conversation of this.#kept) {
      if (!open.includes(conversation)) {
        this.#report(conversation);
      }
    }
    this.#kept = open.filter(
      ({ draft, pending }) => draft || pending.length > 0,
    );
    if (this.#kept.length === 0) {
      sessionStorage.removeItem(this.#storageKey);
      return;
    }
    const kept = this.#kept.map(({ name, draft, pending }) => ({
      name,
      draft,
      pending,
    }));
    try {
      sessionStorage.setItem(this.#storageKey, JSON.stringify(kept));
    } catch {
      // The browser's storage is full.
    }
  }

  /**
   * Shows what was written in a conversation that is closed.
   * @param {Conversation} conversation
   */
  #report(conversation) {
    const sent = conversation.pending.map(({ params }) => params[1]);
    conversation.pending = [];
    for (const text of [...sent, conversation.draft]) {
      if (text && !text.startsWith("/")) {
        this.#chat.tell(`Perhaps not sent to ${conversation.name}: ${text}`);
      }
    }
  }

  /**
   * Sends a message.
   * @param {Conversation} conversation
   * @param {string} text
   */
  post(conversation, text) {
    /** @type {PendingMessage} */
    const message = {
      label: randomLabel(),
      command: "PRIVMSG",
      params: [conversation.name, text],
      source: this.#chat.session.nick,
      time: new Date().toISOString(),
    };
    conversation.pending.push(message);
    this.retry(conversation, message);
  }

  /**
   * Sends a message again, after the lost messages before it.
   * @param {Conversation} conversation
   * @param {PendingMessage} message
   */
  retry(conversation, message) {
    for (const one of conversation.pending) {
      if (one === message || one.state === "lost") {
        one.state = "sending";
        this.#queue = this.#queue.then(() => this.#send(conversation, one));
      }
    }
    this.#chat.changed();
  }

  /**
   * @param {Conversation} conversation
   * @param {PendingMessage} message
   */
  discard(conversation, message) {
    conversation.pending = conversation.pending.filter(
      (one) => one !== message,
    );
    this.#chat.changed();
  }

  /**
   * Removes the pending message that has arrived as an event.
   * @param {{ id: number, label?: string }} event
   */
  arrived({ id, label }) {
    const isOther = (/** @type {PendingMessage} */ message) =>
      message.label !== label && !message.ids?.includes(id);
    for (const conversation of this.#chat.session.all) {
      conversation.pending = conversation.pending.filter(isOther);
    }
  }

  /**
   * Sends lost messages again while the server still knows their labels. This is for channels only,
   * because a nick may belong to another session by now.
   */
  resume() {
    for (const channel of this.#chat.session.channels()) {
      const lost = channel.pending.find(({ state }) => state === "lost");
      if (lost && Date.now() - Date.parse(lost.time) < RESUMABLE) {
        this.retry(channel, lost);
      }
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {PendingMessage} message
   */
  async #send(conversation, message) {
    for (let tries = 1; conversation.pending.includes(message); tries += 1) {
      try {
        await this.#trySending(conversation, message);
        return;
      } catch (error) {
        const again = this.#judge(message, error) && tries < MAX_TRIES;
        if (again) {
          message.state = "waiting";
        }
        this.#chat.changed();
        if (!again) {
          this.#failed(conversation, message);
          return;
        }
        const seconds = error instanceof Problem ? error.retryAfter : 1;
        await sleep(seconds * 1000);
      }
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {PendingMessage} message
   */
  async #trySending(conversation, message) {
    const { session } = this.#chat;
    const params = [conversation.name, message.params[1]];
    const { ids, replies } = await this.#chat.send(
      "PRIVMSG",
      params,
      message.label,
    );
    message.ids = ids;
    // The event may have arrived before this answer.
    const isHere = (/** @type {number} */ id) =>
      id <= session.cursor || session.all.some((one) => one.ids.has(id));
    if (ids.every(isHere)) {
      this.discard(conversation, message);
    }
    this.#chat.showReplies(replies, conversation);
  }

  /**
   * Records why a message failed. Returns whether the server is only busy.
   * @param {PendingMessage} message
   * @param {unknown} error
   */
  #judge(message, error) {
    const status = error instanceof Problem ? error.status : 1;
    message.error = messageOf(error);
    message.state = status === 0 ? "lost" : "refused";
    return error instanceof Problem && error.temporary && status !== 0;
  }

  /**
   * @param {Conversation} conversation
   * @param {PendingMessage} message
   */
  #failed(conversation, { state, error = "" }) {
    if (state === "refused" && conversation === this.#chat.current) {
      this.#chat.complain(error);
    } else {
      this.#chat.announce(`Not sent to ${conversation.name}. ${error}`);
    }
  }
}

/**
 * @param {string} key
 * @returns {{ name: string, draft: string, pending: PendingMessage[] }[]}
 */
const readStorage = (key) => JSON.parse(sessionStorage.getItem(key) ?? "[]");
