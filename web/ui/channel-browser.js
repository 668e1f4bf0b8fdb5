// @ts-check
// The list of the server's channels, with a field to join one.

import { get, messageOf } from "../core/api.js";
import { fold, isChannel } from "../core/names.js";
import { plain } from "../core/text.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { find, setText } from "./dom.js";
import { eventRow } from "./timeline-rows.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */
/** @import { Item } from "../core/types.js" */
/** @typedef {{ name: string, members: number | null, topic: string | null }} ListedChannel */

const MAX_LISTED = 500;

export class ChannelBrowser {
  #chat;
  #panel = find("#browse-panel");
  #name = find("#join-name", HTMLInputElement);
  #error = find("#join-error");
  #lines = find(".told", HTMLElement, this.#panel);
  #empty = find(".empty", HTMLElement, this.#panel);
  #list = find("ul", HTMLElement, this.#panel);
  /** @type {ListedChannel[]} */
  #channels = [];
  /** Whether the server has more channels than it sends at once. */
  #hasMore = false;
  /** What the server answered since the panel was opened. @type {Item[]} */
  #answers = [];

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    const form = find("form", HTMLFormElement, this.#panel);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#join(this.#typed);
    });
    this.#name.addEventListener("input", () => {
      this.#drawList();
      if (this.#hasMore) {
        this.#load(this.#typed).catch(() => {});
      }
    });
  }

  get #typed() {
    return this.#name.value.trim();
  }

  /** @param {Conversation} conversation */
  async show(conversation) {
    this.#panel.hidden = conversation !== this.#chat.session.browse;
    this.#answers = [];
    render(nothing, this.#lines);
    if (this.#panel.hidden) {
      return;
    }
    this.#name.value = "";
    try {
      await this.#load("");
    } catch (error) {
      setText(this.#empty, messageOf(error));
    }
  }

  draw() {
    const { items } = this.#chat.session.browse;
    if (items.length > 0) {
      this.#answers.push(...items.splice(0));
      render(this.#answers.map(eventRow), this.#lines);
    }
  }

  /**
   * Loads the largest channels, or the largest of those that match what is typed.
   * @param {string} typed
   */
  async #load(typed) {
    const match = encodeURIComponent(typed);
    const page = await get(`/channels?limit=${MAX_LISTED}&match=${match}`);
    if (typed !== this.#typed) {
      return;
    }
    this.#channels = page.channels;
    if (!typed) {
      this.#hasMore = page.next !== null;
    }
    this.#drawList();
  }

  #drawList() {
    setText(this.#error, "");
    const wanted = fold(this.#typed);
    const found = this.#channels.filter(({ name }) =>
      fold(name).includes(wanted),
    );
    render(
      repeat(
        found,
        ({ name }) => fold(name),
        (channel) => this.#entry(channel),
      ),
      this.#list,
    );
    this.#empty.hidden = found.length > 0;
    setText(
      this.#empty,
      this.#channels.length > 0
        ? "This channel does not exist yet. Join it to create it."
        : "No channels yet. Type a name to create the first one.",
    );
  }

  /** @param {ListedChannel} channel */
  #entry({ name, members, topic }) {
    return html`
      <li>
        <button class="channel" @click=${() => this.#join(name)}>
          <b>${name}</b>
          <small>${membersLabel(members)}</small>
          <span class="topic">${plain(topic ?? "")}</span>
        </button>
      </li>
    `;
  }

  /** @param {string} typed */
  async #join(typed) {
    if (!typed) {
      setText(this.#error, "Type the name of a channel, such as #rust.");
      return;
    }
    try {
      await this.#chat.join(isChannel(typed) ? typed : `#${typed}`);
    } catch (error) {
      setText(this.#error, messageOf(error));
    }
  }
}

/** @param {number | null} count null for a private channel */
function membersLabel(count) {
  if (!count) {
    return "private";
  }
  return count === 1 ? "1 member" : `${count} members`;
}
