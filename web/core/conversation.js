// @ts-check
// A channel, an exchange with one other session, or a view of this page's own: what it shows, in
// order, each event once.

/** @import { ChatEvent, Item, LineOptions, LocalLine, Member, PendingMessage, Topic } from "./types.js" */
/** @typedef {"channel" | "direct" | "server" | "browse"} Kind */

/** With more items than this, the older half is dropped until the reader scrolls to it. */
const MAX_ITEMS = 800;

/**
 * Whether an item is a message, and so counts as unread.
 * @template {{ local?: boolean, command?: string }} T
 * @param {T} item
 * @returns {item is Exclude<T, LocalLine>}
 */
export const isMessage = (item) =>
  !item.local && (item.command === "PRIVMSG" || item.command === "NOTICE");

/** What a conversation starts with that has no history on the server. */
export const WITHOUT_HISTORY = { loaded: true, more: false, since: 0 };

export class Conversation {
  /** @type {Item[]} */
  items = [];
  /** The ids of its events. */
  ids = new Set();
  /** Whether the server has older ones, as far as is known. */
  more = true;
  /** Whether its newest page of history is here. */
  loaded = false;
  /** The oldest event of the pages that were loaded. @type {number | undefined} */
  before = undefined;
  /** @type {Promise<void> | null} */
  loading = null;
  /** Up to this event it is read. */
  read = 0;
  /** After this event came what the reader has not seen. @type {number | null} */
  newFrom = null;
  /** Messages that are unread. */
  unreadCount = 0;
  /** Whether one of them is for the reader. */
  mentioned = false;
  draft = "";
  /** @type {PendingMessage[]} */
  pending = [];
  /** Where the reader was in it; null at its end. @type {number | null} */
  scrollTop = null;
  /** The session at the other end of a direct conversation. @type {number | null} */
  session = null;
  /** Events up to here are in the snapshot. @type {number | undefined} */
  since = undefined;
  /** @type {Topic | null} */
  topic = null;
  /** @type {Set<string>} */
  modes = new Set();
  /** Of a channel, by folded nick. @type {Map<string, Member> | null} */
  members = null;

  /**
   * @param {Kind} kind
   * @param {string} name
   * @param {object} [fields]
   */
  constructor(kind, name, fields = {}) {
    this.kind = kind;
    this.name = name;
    Object.assign(this, fields);
  }

  get firstId() {
    return this.items.find((item) => !item.local)?.id;
  }

  /** @param {ChatEvent} event */
  add(event) {
    const isNoise = event.command === "AWAY" && this.kind === "channel";
    if (this.ids.has(event.id) || isNoise) {
      return;
    }
    this.ids.add(event.id);
    this.#insert(event);
  }

  /**
   * Adds a line of the page's own, after the event `after`.
   * @param {string} text
   * @param {number} after
   * @param {LineOptions} options
   */
  addLine(text, after, { kind = "server", time, action } = {}) {
    this.#insert({
      local: true,
      id: after,
      time: time ?? new Date().toISOString(),
      text,
      kind,
      action,
    });
  }

  /** Drops the older half of too many items. */
  trim() {
    if (this.items.length <= MAX_ITEMS) {
      return;
    }
    for (const { id } of this.items.splice(0, MAX_ITEMS / 2)) {
      this.ids.delete(id);
    }
    this.more = true;
    this.before = this.firstId;
    this.scrollTop = null;
  }

  /** @param {Item} item */
  #insert(item) {
    // A line of the page's own stands after the event whose id it has.
    const isBefore = (/** @type {Item} */ { id }) =>
      id < item.id || (Boolean(item.local) && id === item.id);
    this.items.splice(this.items.findLastIndex(isBefore) + 1, 0, item);
  }
}
