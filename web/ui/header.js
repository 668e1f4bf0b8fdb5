// @ts-check
// The bar above the messages: the conversation's name, topic and buttons.

import { fold } from "../core/names.js";
import { html, render } from "../vendor/lit-html/lit-html.js";
import { ask, valueOf } from "./dialog.js";
import { find, setText } from "./dom.js";
import { linkify } from "./timeline-rows.js";

/** @import { Chat } from "../core/chat.js" */

export class Header {
  #chat;
  #title = find("#title");
  #topic = find("#topic");
  #editTopic = find("#edit-topic");
  #leave = find("#leave");
  #focusField;

  /**
   * @param {Chat} chat
   * @param {() => void} focusField moves the focus to the field where the user writes
   */
  constructor(chat, focusField) {
    this.#chat = chat;
    this.#focusField = focusField;
    this.#editTopic.addEventListener("click", () => this.#changeTopic());
    this.#leave.addEventListener("click", () => this.#leaveConversation());
  }

  draw() {
    const { kind, name, modes, members, topic } = this.#chat.current;
    setText(this.#title, name);
    const isDirect = kind === "direct";
    const text = isDirect ? "Only the two of you see this" : topic?.text;
    render(linkify(text ?? ""), this.#topic);
    const own = members?.get(fold(this.#chat.session.nick));
    const isLocked = modes.has("t") && !own?.op;
    this.#editTopic.hidden = !members || isLocked;
    this.#leave.hidden = !members && !isDirect;
    this.#leave.title = members ? `Leave ${name}` : "Close this conversation";
  }

  #changeTopic() {
    const { name, topic } = this.#chat.current;
    const label = `Topic of ${name}`;
    void ask({
      title: label,
      text: "Shown at the top of the channel. Leave it empty for no topic.",
      confirm: "Set topic",
      fields: html`<input value=${topic?.text ?? ""} aria-label=${label} />`,
      action: (form) => this.#chat.run("TOPIC", [name, valueOf(form, "input")]),
    });
  }

  async #leaveConversation() {
    const { current } = this.#chat;
    if (current.kind === "direct") {
      this.#chat.session.close(current);
      this.#chat.open(this.#chat.home());
      return;
    }
    const isLast = current.members?.size === 1;
    const hasLeft = await ask({
      title: `Leave ${current.name}?`,
      text: isLast
        ? "You are its only member. The channel ends when you leave."
        : "You leave it on all your devices.",
      confirm: "Leave",
      action: () => this.#chat.run("PART", [current.name]),
    });
    if (hasLeft) {
      this.#focusField();
    }
  }
}
