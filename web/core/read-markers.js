// @ts-check
// Sends the session's read markers to the server.

import { command, Problem } from "./api.js";
import { isMessage } from "./conversation.js";

/** @import { Chat } from "./chat.js" */
/** @import { Conversation } from "./conversation.js" */

/** The time for which changes are collected before a marker is sent, in milliseconds. */
const SETTLE = 800;
const RETRY = 5_000;

export class ReadMarkers {
  #chat;
  /** Conversations whose marker waits to be sent. @type {Set<Conversation>} */
  #waiting = new Set();

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /**
   * Marks everything in a conversation as read.
   * @param {Conversation} conversation
   */
  markSeen(conversation) {
    const last = conversation.items.findLast(isMessage)?.id ?? 0;
    if (last <= conversation.read && !conversation.unreadCount) {
      return;
    }
    this.#chat.session.markRead(conversation, last);
    this.#chat.changed();
    if (last && hasMarker(conversation)) {
      this.#tellSoon(conversation, SETTLE);
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {number} delay
   */
  #tellSoon(conversation, delay) {
    if (this.#waiting.has(conversation)) {
      return;
    }
    this.#waiting.add(conversation);
    setTimeout(() => {
      this.#waiting.delete(conversation);
      void this.#tell(conversation);
    }, delay);
  }

  /** @param {Conversation} conversation */
  async #tell(conversation) {
    const { name, read, session } = conversation;
    const [target] = name.split(" ");
    try {
      await command("MARKREAD", [target, String(read)], undefined, session);
    } catch (error) {
      if (error instanceof Problem && error.temporary) {
        this.#tellSoon(conversation, RETRY);
      }
    }
  }
}

/**
 * Whether the server keeps a marker for a conversation. It keeps none for views of the page itself.
 * @param {Conversation} conversation
 */
const hasMarker = ({ kind, name, session }) =>
  kind !== "server" && (session !== null || !name.includes(" "));
