// @ts-check
// A channel, a direct conversation, or a view of the page itself: its items in order, each event
// once.

/** @import { ChatEvent, Item, LineOptions, LocalLine, Member, PendingMessage, Topic } from "./types.js" */
/** @typedef {"channel" | "direct" | "server" | "browse"} Kind */

/** With more items than this, the older half is dropped until the user scrolls to it. */
const MAX_ITEMS = 800;

/**
 * Whether an item is a message, and so counts as unread.
 * @template {{ local?: boolean, command?: string }} T
 * @param {T} item
 * @returns {item is Exclude<T, LocalLine>}
 */
export const isMessage = (item) =>
  !item.local && (item.command === "PRIVMSG" || item.command === "NOTICE");

/** The fields of a conversation that has no history on the server. */
export const WITHOUT_HISTORY = { loaded: true, more: false, since: 0 };

export class Conversation {
  /** @type {Item[]} */
  items = [];
  /** The ids of its events. */
  ids = new Set();
  /** Whether the server may have older events. */
  more = true;
  /** Whether its newest page of history is loaded. */
  loaded = false;
  /** The oldest event of the pages that were loaded. @type {number | undefined} */
  before = undefined;
  /** @type {Promise<void> | null} */
  loading = null;
  /** The last event that was read. */
  read = 0;
  /** The event before the "New" line; null if there is no line. @type {number | null} */
  newFrom = null;
  /** The number of unread messages. */
  unreadCount = 0;
  /** Whether one of them is for the user. */
  mentioned = false;
  draft = "";
  /** @type {PendingMessage[]} */
  pending = [];
  /** The scroll position; null at the end. @type {number | null} */
  scrollTop = null;
  /** The session at the other end of a direct conversation. @type {number | null} */
  session = null;
  /** The snapshot contains the events up to this one. @type {number | undefined} */
  since = undefined;
  /** @type {Topic | null} */
  topic = null;
  /** @type {Set<string>} */
  modes = new Set();
  /** The members of a channel, by folded nick. @type {Map<string, Member> | null} */
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
   * Adds a local line after the event `after`.
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
    // A local line stands after the event whose id it has.
    const isBefore = (/** @type {Item} */ { id }) =>
      id < item.id || (Boolean(item.local) && id === item.id);
    this.items.splice(this.items.findLastIndex(isBefore) + 1, 0, item);
  }
}
