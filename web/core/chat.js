// @ts-check
// What the user does in the chat: open conversations, send commands, load history. The regions of
// the page draw this state.

import { command, get, messageOf, Problem, randomLabel } from "./api.js";

import { replyLines } from "./describe.js";
import { isNick } from "./names.js";
import { SessionState } from "./session-state.js";
import { sentence } from "./text.js";

/** @import { Conversation } from "./conversation.js" */
/** @import { EndReason, LineOptions, Reply, Snapshot } from "./types.js" */

/**
 * A part of the page that follows the chat.
 * @typedef {object} Region
 * @property {(conversation: Conversation) => void} [show] another conversation is on the screen
 * @property {() => void} [opened] the user has opened a conversation, even if it was open already
 * @property {() => void} [draw] something has changed
 */

const DRAW_EVERY = 40;
const HISTORY_PAGE = 100;
/** The time after the last missed event until events count as new again, in milliseconds. */
const SETTLE = 1_000;

export class Chat {
  /** @type {Conversation} The one on the screen. */
  current;
  /** Whether this device is logged out and the page is about to reload. */
  over = false;
  /** Whether events that were missed while disconnected are still arriving. */
  behind = false;
  /** @type {Region[]} */
  #regions = [];
  /** @type {(text: string) => void} */
  #announce;
  /** @type {(text: string) => void} */
  #showError;
  #connected = false;
  /** The position of the log at the last connection. */
  #head = 0;
  #drawTimer = 0;
  #settleTimer = 0;
  /** The channel to open when this session's JOIN comes. */
  #awaited = "";
  /** The last command, to repeat it with the same label after a lost answer. */
  #last = { text: "", label: "" };

  /**
   * @param {Snapshot} snapshot
   * @param {(text: string) => void} announce announces a text to screen readers
   * @param {(text: string) => void} showError shows an error beside the composer
   */
  constructor(snapshot, announce, showError) {
    this.client = snapshot.client.id;
    this.session = new SessionState(snapshot);
    this.current = this.session.browse;
    this.#announce = announce;
    this.#showError = showError;
  }

  /**
   * Starts with these regions, which are called in this order, and opens the conversation that the
   * address names.
   * @param {Region[]} regions
   */
  start(regions) {
    this.#regions = regions;
    const other = new URLSearchParams(location.search).get("with") ?? "";
    const direct = isNick(other) ? this.session.direct(other) : undefined;
    this.#switchTo(this.addressed() ?? direct ?? this.home());
    this.#opened();
  }

  /** The channel that the address names. */
  addressed() {
    const hash = (/** @type {string} */ name) =>
      new URL(name, location.href).hash;
    const channels = this.session.channels();
    return channels.find(({ name }) => hash(name) === location.hash);
  }

  home() {
    return this.session.channels()[0] ?? this.session.browse;
  }

  /** @param {Conversation} conversation */
  open(conversation) {
    if (conversation !== this.current) {
      this.current.newFrom = null;
      this.#switchTo(conversation);
    }
    this.#opened();
  }

  /** @param {Conversation} conversation */
  #switchTo(conversation) {
    this.current = conversation;
    this.#awaited = "";
    this.#markNew(conversation);
    if (!conversation.loaded) {
      void this.load(conversation).then(() => this.#markNew(conversation));
    }
    for (const region of this.#regions) {
      region.show?.(conversation);
    }
    this.#draw();
  }

  #opened() {
    for (const region of this.#regions) {
      region.opened?.();
    }
  }

  /** @param {Conversation} conversation */
  #markNew(conversation) {
    conversation.newFrom = conversation.unreadCount ? conversation.read : null;
    this.changed();
  }

  /** Draws soon. All changes until then are drawn together. */
  changed() {
    if (!this.over && !this.#drawTimer) {
      this.#drawTimer = setTimeout(() => this.#draw(), DRAW_EVERY);
    }
  }

  #draw() {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = 0;
    for (const region of this.#regions) {
      region.draw?.();
    }
  }

  /** @param {string} text */
  announce(text) {
    this.#announce(text);
  }

  /** @param {string} text */
  complain(text) {
    this.#showError(text);
  }

  /** @param {unknown} error */
  explain = (error) => this.complain(messageOf(error));

  /** @param {EndReason} reason */
  loggedOut(reason) {
    if (this.over) {
      return;
    }
    this.over = true;
    sessionStorage.clear();
    // A logout makes the browser clear its storage at some later time, but not the history's entry.
    const state = { reason, nick: this.session.nick };
    history.replaceState(state, "", location.pathname);
    location.reload();
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    this.#connected = connected;
    this.behind ||= !connected;
    clearTimeout(this.#settleTimer);
    this.settle();
  }

  /**
   * Ends `behind` a while after the last missed event.
   * @param {number} id the event that arrived
   */
  settle(id = 0) {
    if (!this.#connected || !this.behind || id > this.#head) {
      return;
    }
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      this.behind = false;
      this.changed();
    }, SETTLE);
  }

  /**
   * Reloads the page if the browser has another session by now, so that nothing is sent in that
   * session's name.
   */
  async check() {
    const snapshot = await get("/session", 1);
    this.#head = snapshot.cursor;
    if (snapshot.client.id === this.client) {
      return;
    }
    this.over = true;
    sessionStorage.clear();
    location.reload();
    // Nothing may continue before the reload.
    await new Promise(() => {});
  }

  /**
   * Sends a command.
   * @param {string} verb
   * @param {string[]} params
   * @returns {Promise<{ ids: number[], replies: Reply[] }>}
   */
  async send(verb, params, label = randomLabel()) {
    if (!this.#connected) {
      await this.check();
    }
    try {
      return await command(verb, params, label);
    } catch (error) {
      if (error instanceof Problem && error.code) {
        error.message = sentence(error.message);
      }
      throw error;
    }
  }

  /**
   * Sends a command of the user and shows the replies. If it is repeated after a lost answer, it
   * has the same label, and so no second effect. No password is kept for this.
   * @param {string} verb
   * @param {string[]} params
   */
  async run(verb, params) {
    const where = this.current;
    const text = verb === "PASS" ? "" : JSON.stringify([verb, params]);
    if (!text || text !== this.#last.text) {
      this.#last = { text, label: randomLabel() };
    }
    const { replies } = await this.send(verb, params, this.#last.label);
    this.#last = { text: "", label: "" };
    this.showReplies(replies, where, verb);
  }

  /**
   * Joins a channel, or several separated by commas, and opens the last one.
   * @param {string} name
   * @param {string} [key]
   */
  async join(name, key) {
    const known = this.session.channel(name);
    if (known) {
      this.open(known);
      return;
    }
    this.#awaited = name.split(",").at(-1) ?? name;
    try {
      await this.run("JOIN", key ? [name, key] : [name]);
    } catch (error) {
      this.#awaited = "";
      throw error;
    }
  }

  /** @param {Conversation} channel which the session has just joined */
  joined(channel) {
    if (channel === this.session.channel(this.#awaited)) {
      this.open(channel);
    }
  }

  /**
   * @param {Reply[]} replies
   * @param {Conversation} where
   * @param {string} [verb]
   */
  showReplies(replies, where, verb) {
    for (const text of replyLines(replies, verb)) {
      this.addLine(text, { kind: "reply" }, where);
    }
  }

  /**
   * Adds a line to the server messages and to the conversation on the screen.
   * @param {string} text
   * @param {LineOptions} [options]
   */
  tell(text, options = {}) {
    for (const where of new Set([this.session.server, this.current])) {
      this.addLine(text, { kind: "server", ...options }, where);
    }
  }

  /**
   * @param {string} text
   * @param {LineOptions} options
   * @param {Conversation} [where]
   */
  addLine(text, options, where = this.current) {
    const { browse, server } = this.session;
    const conversation = where === browse ? this.current : where;
    const after = conversation.items.at(-1)?.id ?? this.session.cursor;
    conversation.addLine(text, after, options);
    if (conversation === this.current) {
      this.announce(text);
    } else if (conversation === server) {
      conversation.unreadCount += 1;
    }
    this.changed();
  }

  /** Asks whether the session has a password. Only a hint depends on it, so this may fail. */
  async refreshSession() {
    try {
      const { session } = await get("/session");
      this.session.hasPassword = session.has_password;
      this.changed();
    } catch {
      // The next change asks again.
    }
  }

  /** @param {Conversation[]} conversations */
  async loadAll(conversations) {
    for (const conversation of conversations) {
      if (!conversation.loaded) {
        await this.load(conversation);
      }
    }
  }

  /**
   * Loads the newest page of a conversation's history, or the next older one.
   * @param {Conversation} conversation
   */
  load(conversation) {
    conversation.loading ??= loadPage(conversation).finally(() => {
      conversation.loading = null;
      this.changed();
    });
    return conversation.loading;
  }
}

/** @param {Conversation} conversation */
async function loadPage(conversation) {
  const query = new URLSearchParams({ limit: String(HISTORY_PAGE) });
  if (conversation.session) {
    query.set("session", String(conversation.session));
  } else {
    query.set("target", conversation.name);
  }
  if (conversation.loaded && conversation.before) {
    query.set("before", String(conversation.before));
  }
  try {
    const { messages } = await get(`/history?${query}`);
    for (const message of messages) {
      conversation.add(message);
    }
    conversation.before = messages[0]?.id ?? conversation.before;
    conversation.more = messages.length > 0;
  } catch (error) {
    if (error instanceof Problem && error.temporary) {
      return;
    }
    conversation.more = false;
  }
  conversation.loaded = true;
}

/** @param {Conversation} conversation */
export const takesMessages = ({ kind }) =>
  kind === "channel" || kind === "direct";
