// @ts-check
// The column with the channels, the direct conversations, and the session's own corner.

import { fold } from "../core/names.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { find, setText } from "./dom.js";
import { avatar } from "./nick.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */

const MAX_COUNT = 99;
/** The storage key that says that the hint about the password was closed. */
const HINT_CLOSED = "hinted";

export class Sidebar {
  #chat;
  #sidebar = find("#sidebar");
  #menu = find("#open-sidebar");
  #browse = find("#browse");
  #passwordButton = find("#open-password");
  #passwordHint = find("#password-hint");
  #back = find("#back");

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    this.#browse.addEventListener("click", () => {
      chat.open(chat.session.browse);
    });
    this.#back.addEventListener("click", () => {
      chat.run("AWAY", []).catch(chat.explain);
    });
    const close = find(".close", HTMLElement, this.#passwordHint);
    close.addEventListener("click", () => {
      localStorage.setItem(HINT_CLOSED, "yes");
      this.draw();
    });
  }

  opened() {
    this.#sidebar.hidePopover();
  }

  draw() {
    const { session, current } = this.#chat;
    const directs = session.directs();
    this.#drawList("#channels ul", session.channels());
    this.#drawList("#directs ul", directs);
    this.#drawList(
      "#server ul",
      session.server.items.length > 0 ? [session.server] : [],
    );
    find("#directs").hidden = directs.length === 0;
    this.#browse.ariaCurrent = String(current === session.browse);
    this.#drawOwnCorner();
    this.#drawMenuButton();
  }

  /**
   * @param {string} selector
   * @param {Conversation[]} conversations
   */
  #drawList(selector, conversations) {
    render(
      repeat(conversations, keyOf, (conversation) => this.#entry(conversation)),
      find(selector),
    );
  }

  /** @param {Conversation} conversation */
  #entry(conversation) {
    const { kind, name, unreadCount, mentioned } = conversation;
    const isCurrent = conversation === this.#chat.current;
    const classes = [
      "target",
      unreadCount > 0 && "unread",
      mentioned && "mentioned",
    ];
    // There must be no blanks between or around the parts, because they form one text.
    const label = [
      kind === "direct" ? avatar(name) : nothing,
      html`<span class="name">${name}</span>`,
      html`<span class="badge">${countLabel(unreadCount)}</span>`,
      html`<span class="unseen">${unreadLabel(conversation)}</span>`,
    ];
    // prettier-ignore
    const button = html`<button
      class=${classes.filter(Boolean).join(" ")}
      aria-current=${isCurrent}
      @click=${() => this.#chat.open(conversation)}
    >${label}</button>`;
    return html`<li data-key=${keyOf(conversation)}>${button}</li>`;
  }

  #drawOwnCorner() {
    const { nick, away, hasPassword } = this.#chat.session;
    render(avatar(nick), find("#own-avatar"));
    setText(find("#own-nick"), nick);
    this.#passwordButton.title = hasPassword
      ? "Change password"
      : "Set password";
    const isHintClosed = localStorage.getItem(HINT_CLOSED) !== null;
    this.#passwordHint.hidden = hasPassword || isHintClosed;
    this.#back.hidden = !away;
    this.#back.title = away;
  }

  #drawMenuButton() {
    const { session, current } = this.#chat;
    const hasNews = [session.server, ...session.all].some(
      (one) => one !== current && one.unreadCount > 0,
    );
    this.#menu.classList.toggle("news", hasNews);
    this.#menu.title = hasNews
      ? "Channels and direct messages, some unread"
      : "Channels and direct messages";
  }
}

/** @param {Conversation} conversation */
const keyOf = ({ kind, name }) => kind + fold(name);

/** @param {number} count */
function countLabel(count) {
  if (count > MAX_COUNT) {
    return `${MAX_COUNT}+`;
  }
  return count > 0 ? String(count) : "";
}

/** @param {Conversation} conversation */
function unreadLabel({ unreadCount, mentioned }) {
  if (unreadCount === 0) {
    return "";
  }
  return mentioned ? " unread, for you" : " unread";
}
