// @ts-check
// The suggestions above the composer: commands, nicks and channels for the word that is typed.

import { fold, isChannel, isNick } from "../core/names.js";
import { parseCommand } from "../core/slash-commands.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { find, setText } from "./dom.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { SlashCommands } from "../core/slash-commands.js" */

/** @typedef {{ name: string, syntax?: string, help?: string }} Suggestion */

export class Completion {
  #chat;
  #commands;
  #field;
  #list = find("#completions");
  #syntax = find("#syntax");
  /** @type {Suggestion[]} */
  #suggestions = [];
  #active = 0;
  /** Whether Enter takes the suggestion, and does not send. */
  #isChosen = false;

  /**
   * @param {HTMLTextAreaElement} field
   * @param {Chat} chat
   * @param {SlashCommands} commands
   */
  constructor(field, chat, commands) {
    this.#field = field;
    this.#chat = chat;
    this.#commands = commands;
    field.addEventListener("blur", () => this.close());
  }

  close() {
    this.#suggestions = [];
    this.#syntax.hidden = true;
    this.#draw();
  }

  /**
   * Updates the suggestions: commands after a slash, channels after a #, nicks after an @. The @
   * itself is removed.
   */
  update() {
    this.#isChosen = false;
    const text = this.#field.value;
    const typed = parseCommand(text);
    const isNaming = typed !== null && /^\s*\S*$/.test(text);
    if (isNaming) {
      this.#suggestions = this.#commands.list.filter(({ name }) =>
        name.startsWith(`/${typed.name}`),
      );
    } else {
      this.#suggestions = this.#marked(this.#typedWord());
    }
    this.#active = Math.max(0, this.#suggestions.findIndex(this.#isTyped));
    const exact = this.#commands.list.find(
      ({ name }) => name === `/${typed?.name}`,
    );
    this.#syntax.hidden = !exact || isNaming;
    if (exact) {
      setText(this.#syntax, `${exact.syntax} – ${exact.help}`);
    }
    this.#draw();
  }

  /**
   * Handles a key. Returns true if the composer must ignore it.
   * @param {KeyboardEvent} event
   */
  handleKey({ key, shiftKey }) {
    const suggestion = this.#suggestions[this.#active];
    if (key === "Tab" && !shiftKey) {
      return suggestion ? this.#take(suggestion) : this.#suggestAll();
    }
    if (!suggestion) {
      return false;
    }
    switch (key) {
      case "ArrowDown":
        return this.#move(1);
      case "ArrowUp":
        return this.#move(-1);
      case "Enter": {
        const isUnfinished =
          suggestion.help !== undefined && !this.#isTyped(suggestion);
        return this.#isChosen || isUnfinished ? this.#take(suggestion) : false;
      }
      case "Escape":
        this.close();
        return true;
    }
    return false;
  }

  #typedWord() {
    const before = this.#field.value.slice(0, this.#field.selectionStart);
    return before.match(/\S*$/)?.[0] ?? "";
  }

  /** @param {Suggestion} suggestion */
  #isTyped = ({ name }) =>
    fold(this.#typedWord().replace("@", "")) === fold(name);

  /**
   * The suggestions for a word that begins with @ or #.
   * @param {string} word
   */
  #marked(word) {
    if (!/^[@#]/.test(word)) {
      return [];
    }
    return this.#candidates(word.replace("@", "")).filter(
      ({ name }) => isChannel(name) === isChannel(word),
    );
  }

  /**
   * The nicks and channels that begin with a word.
   * @param {string} word
   * @returns {Suggestion[]}
   */
  #candidates(word) {
    const { session, current } = this.#chat;
    const members = [...(current.members?.values() ?? [])];
    const names = [
      ...members.map(({ nick }) => nick),
      ...session.all.map(({ name }) => name),
    ];
    return [...new Set(names)]
      .sort()
      .filter((name) => fold(name).startsWith(fold(word)))
      .filter((name) => !name.includes(" ") && !session.isMe(name))
      .map((name) => ({ name }));
  }

  /** @param {number} step */
  #move(step) {
    const { length } = this.#suggestions;
    this.#active = (this.#active + step + length) % length;
    this.#isChosen = true;
    this.#draw();
    return true;
  }

  /**
   * Replaces the word with a suggestion.
   * @param {Suggestion} suggestion
   */
  #take({ name }) {
    const end = this.#field.selectionStart;
    const start = end - this.#typedWord().length;
    const isAddress = start === 0 && isNick(name);
    this.#field.setRangeText(
      name + (isAddress ? ": " : " "),
      start,
      end,
      "end",
    );
    this.#field.dispatchEvent(new Event("input"));
    return true;
  }

  /** Suggests for any word, after Tab. Returns whether there is a suggestion. */
  #suggestAll() {
    const word = this.#typedWord();
    this.#suggestions = word ? this.#candidates(word) : [];
    if (this.#suggestions.length === 1) {
      return this.#take(this.#suggestions[0]);
    }
    this.#active = 0;
    this.#isChosen = true;
    this.#draw();
    return this.#suggestions.length > 0;
  }

  #draw() {
    const isOpen = this.#suggestions.length > 0;
    this.#list.hidden = !isOpen;
    this.#field.setAttribute(
      "aria-activedescendant",
      isOpen ? `completion-${this.#active}` : "",
    );
    render(
      this.#suggestions.map((suggestion, i) => this.#option(suggestion, i)),
      this.#list,
    );
    const active = this.#list.children[this.#active];
    active?.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {Suggestion} suggestion
   * @param {number} index
   */
  #option(suggestion, index) {
    const { name, syntax, help } = suggestion;
    const onmousedown = (/** @type {MouseEvent} */ event) => {
      // The focus stays in the field.
      event.preventDefault();
      this.#take(suggestion);
    };
    return html`
      <li
        role="option"
        tabindex="-1"
        id="completion-${index}"
        aria-selected=${index === this.#active}
        @mousedown=${onmousedown}
      >
        <b>${syntax ?? name}</b> ${help ? html`<span>${help}</span>` : nothing}
      </li>
    `;
  }
}
