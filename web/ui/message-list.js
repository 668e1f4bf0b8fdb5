// @ts-check
// The message list: the rows of the conversation on the screen, and its scroll position.

import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { nothing, render } from "../vendor/lit-html/lit-html.js";
import { find, isWatched, setText } from "./dom.js";
import { timeline } from "./timeline.js";
import { pendingRow } from "./timeline-rows.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */
/** @import { Outbox } from "../core/outbox.js" */
/** @import { ReadMarkers } from "../core/read-markers.js" */
/** @import { Item } from "../core/types.js" */

/** Within this distance from the end, in pixels, the list follows new messages. */
const NEAR_END = 60;
/** Within this distance from the start, in pixels, older messages are loaded. */
const NEAR_START = 300;
/** The most items that are loaded to reach the "New" line. */
const MAX_SOUGHT = 400;

export class MessageList {
  #chat;
  #outbox;
  #readMarkers;
  #list = find("#messages");
  #rows = find(".rows", HTMLElement, this.#list);
  #pendingRows = find(".pending-rows", HTMLElement, this.#list);
  #beginning = find(".beginning", HTMLElement, this.#list);
  #jump = find("#jump");

  /** The conversation that is shown, if the list shows one. @type {Conversation | null} */
  #conversation = null;
  /** Whether the list is at its end, and follows new messages. */
  #atEnd = true;
  /** Whether the conversation was just opened, and the list has not scrolled to its place yet. */
  #isFresh = true;
  /** The first item at the last drawing. @type {Item | undefined} */
  #firstDrawn = undefined;
  /** The size of the list at its last scroll event. */
  #size = "";
  /** The event before which older events were requested. @type {number | null | undefined} */
  #askedBefore = null;
  /** The "New" line to which the list has scrolled. @type {number | null} */
  #goneTo = null;

  /**
   * @param {Chat} chat
   * @param {Outbox} outbox
   * @param {ReadMarkers} readMarkers
   */
  constructor(chat, outbox, readMarkers) {
    this.#chat = chat;
    this.#outbox = outbox;
    this.#readMarkers = readMarkers;
    this.#list.addEventListener("scroll", () => this.#onScroll());
    this.#jump.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#onResize()).observe(this.#list);
    addEventListener("focus", () => this.#markIfSeen());
    document.addEventListener("visibilitychange", () => this.#markIfSeen());
  }

  /** Whether the user sees the newest messages. */
  isAttentive() {
    const isShown = this.#chat.current === this.#conversation;
    const isSettled = !this.#chat.behind && !this.#isFresh;
    return isWatched() && isShown && isSettled && this.#atEnd;
  }

  /** @param {Conversation} next */
  show(next) {
    if (this.#conversation) {
      const { scrollTop } = this.#list;
      this.#conversation.scrollTop = this.#atEnd ? null : scrollTop;
    }
    const isListed = next !== this.#chat.session.browse;
    this.#list.hidden = !isListed;
    this.#jump.hidden = true;
    this.#conversation = isListed ? next : null;
    this.#isFresh = true;
    this.#atEnd = true;
    this.#askedBefore = null;
    this.#goneTo = null;
    this.#firstDrawn = undefined;
    // No row may keep the state of another conversation's row, such as an open fold.
    render(nothing, this.#rows);
    render(nothing, this.#pendingRows);
  }

  draw() {
    const conversation = this.#conversation;
    if (!conversation) {
      return;
    }
    if (this.isAttentive()) {
      conversation.trim();
    }
    this.#drawRows(conversation);
    this.#drawPending(conversation);
    const { more, name, unreadCount } = conversation;
    setText(
      this.#beginning,
      more ? "Loading messages…" : `Your history of ${name} begins here.`,
    );
    setText(
      this.#jump,
      unreadCount ? `↓ ${unreadCount} new` : "↓ Newest messages",
    );
    this.#findPlace(conversation);
    this.#markIfSeen();
  }

  toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#atEnd = true;
    this.#jump.hidden = true;
  }

  /** @param {Conversation} conversation */
  #drawRows(conversation) {
    const [first] = conversation.items;
    // Rows that are added above must not move the rows on the screen.
    const isMoved = !this.#atEnd && first !== this.#firstDrawn;
    const fromEnd = isMoved
      ? this.#list.scrollHeight - this.#list.scrollTop
      : 0;
    this.#firstDrawn = first;
    render(timeline(conversation, this.#chat.session), this.#rows);
    if (isMoved) {
      this.#list.scrollTop = this.#list.scrollHeight - fromEnd;
    }
  }

  /** @param {Conversation} conversation */
  #drawPending(conversation) {
    const { items, pending } = conversation;
    const hadFocus = this.#pendingRows.contains(document.activeElement);
    render(
      repeat(
        pending,
        ({ label }) => label,
        (message, i) =>
          pendingRow(
            message,
            pending[i - 1] ?? items.at(-1),
            this.#chat.session,
            {
              retry: () => this.#outbox.retry(conversation, message),
              discard: () => this.#outbox.discard(conversation, message),
            },
          ),
      ),
      this.#pendingRows,
    );
    if (hadFocus && document.activeElement === document.body) {
      // The button that was pressed is gone.
      this.#list.focus();
    }
  }

  /**
   * Scrolls to the last position, to the "New" line, or to the end.
   * @param {Conversation} conversation
   */
  #findPlace(conversation) {
    const isFirst = this.#isFresh && conversation.loaded;
    if (isFirst && this.#isNewLineMissing(conversation)) {
      this.#askedBefore = conversation.before;
      this.toEnd();
      void this.#chat.load(conversation);
      return;
    }
    if (conversation.loaded) {
      this.#isFresh = false;
    }
    if (isFirst && conversation.scrollTop !== null) {
      this.#list.scrollTop = conversation.scrollTop;
      this.#scrolled();
      return;
    }
    const line = this.#lineToGoTo(conversation, isFirst);
    if (line) {
      this.#list.scrollTop = line.offsetTop - NEAR_END;
      this.#goneTo = conversation.newFrom;
      this.#scrolled();
      return;
    }
    if (this.#atEnd) {
      this.toEnd();
    }
    this.#loadOlder();
  }

  /**
   * Whether older messages have to be loaded to show the "New" line.
   * @param {Conversation} conversation
   */
  #isNewLineMissing({ more, newFrom, firstId, items, loading, before }) {
    const isFurtherUp =
      newFrom !== null && firstId !== undefined && newFrom < firstId;
    const isWorthIt = items.length < MAX_SOUGHT;
    const isAskable = Boolean(loading) || before !== this.#askedBefore;
    return more && isFurtherUp && isWorthIt && isAskable;
  }

  /**
   * The "New" line, if the list has to scroll to it, so that the user reads new messages from the
   * first one.
   * @param {Conversation} conversation
   * @param {boolean} isFirst
   */
  #lineToGoTo({ unreadCount, newFrom }, isFirst) {
    const cameSince =
      this.#atEnd &&
      unreadCount > 0 &&
      newFrom !== this.#goneTo &&
      !this.isAttentive();
    if (!isFirst && !cameSince) {
      return null;
    }
    /** @type {HTMLElement | null} */
    const line = this.#rows.querySelector(".new");
    const { scrollHeight, clientHeight } = this.#list;
    const isAbove = line && scrollHeight - line.offsetTop > clientHeight;
    return isAbove ? line : null;
  }

  #onScroll() {
    const { clientWidth, clientHeight } = this.#list;
    const size = `${clientWidth} ${clientHeight}`;
    const isResized = size !== this.#size;
    this.#size = size;
    this.#askedBefore = null;
    // A list that became smaller is still at its end.
    if (this.#atEnd && isResized) {
      this.toEnd();
    }
    this.#scrolled();
  }

  #onResize() {
    if (this.#atEnd) {
      this.toEnd();
    }
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#jump.hidden = this.#atEnd;
    if (this.#atEnd) {
      this.#markIfSeen();
    }
    this.#loadOlder();
  }

  /** Loads older messages near the start. A failed request is repeated at the next scroll event. */
  #loadOlder() {
    const conversation = this.#conversation;
    if (!conversation?.loaded || !conversation.more) {
      return;
    }
    const isAsked = conversation.before === this.#askedBefore;
    if (isAsked || this.#list.scrollTop > NEAR_START) {
      return;
    }
    this.#askedBefore = conversation.before;
    void this.#chat.load(conversation);
  }

  #markIfSeen() {
    if (this.#conversation && this.isAttentive()) {
      this.#readMarkers.markSeen(this.#conversation);
    }
  }
}
