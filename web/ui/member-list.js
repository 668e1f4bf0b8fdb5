// @ts-check
// The column with the members of a channel.

import { fold } from "../core/names.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, render } from "../vendor/lit-html/lit-html.js";
import { find, setText } from "./dom.js";
import { avatar } from "./nick.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Member } from "../core/types.js" */

export class MemberList {
  #chat;
  #isWanted = true;
  /** Whether the column is a drawer. */
  #isNarrow = matchMedia("(max-width: 1039px)");
  #frame = find(".chat");
  #column = find("#members");
  #heading = find("h2", HTMLElement, this.#column);
  #list = find("ul", HTMLElement, this.#column);
  #button = find("#open-members");
  #buttonCount = find("span", HTMLElement, this.#button);

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    const close = find(".close", HTMLElement, this.#column);
    for (const button of [this.#button, close]) {
      button.addEventListener("click", () => this.#toggle());
    }
    this.#column.addEventListener("toggle", () => this.draw());
  }

  opened() {
    this.#column.hidePopover();
  }

  draw() {
    const { kind, members } = this.#chat.current;
    const isShown = kind === "channel" && this.#isWanted;
    this.#frame.classList.toggle("with-members", isShown);
    this.#button.hidden = !members;
    this.#button.ariaExpanded = String(this.#column.checkVisibility());
    if (members) {
      this.#drawMembers([...members.values()]);
    }
  }

  #toggle() {
    if (this.#isNarrow.matches) {
      this.#column.togglePopover();
      return;
    }
    this.#isWanted = !this.#isWanted;
    this.draw();
  }

  /** @param {Member[]} members */
  #drawMembers(members) {
    const sorted = members.sort(
      (a, b) => rank(a) - rank(b) || a.nick.localeCompare(b.nick),
    );
    const count = members.length;
    setText(this.#buttonCount, String(count));
    this.#button.title = `Members: ${count}`;
    this.#button.ariaLabel = `Members: ${count}`;
    setText(this.#heading, count === 1 ? "1 member" : `${count} members`);
    render(
      repeat(
        sorted,
        ({ nick }) => fold(nick),
        (member) => this.#entry(member),
      ),
      this.#list,
    );
  }

  /** @param {Member} member */
  #entry(member) {
    const { nick, op, voice, away } = member;
    const isMe = this.#chat.session.isMe(nick);
    const roles = [op && "operator", voice && "voice", away && "away"];
    return html`
      <li>
        <button
          class="target ${away ? "away" : ""}"
          title=${roles.filter(Boolean).join(", ")}
          ?disabled=${isMe}
          @click=${() => this.#chat.open(this.#chat.session.direct(nick))}
        >
          ${avatar(nick)}
          <span class="mark">${markOf(member)}</span>
          <span class="name">${isMe ? `${nick} (you)` : nick}</span>
        </button>
      </li>
    `;
  }
}

/** @param {Member} member */
function rank({ op, voice }) {
  if (op) {
    return 0;
  }
  return voice ? 1 : 2;
}

/** @param {Member} member */
function markOf({ op, voice }) {
  if (op) {
    return "@";
  }
  return voice ? "+" : "";
}
