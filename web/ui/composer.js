// @ts-check
// The field in which the user writes.

import { messageOf } from "../core/api.js";
import { takesMessages } from "../core/chat.js";
import { isSecret, parseCommand } from "../core/slash-commands.js";
import { byteLength } from "../core/text.js";
import { ask } from "./dialog.js";
import { find } from "./dom.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */
/** @import { Outbox } from "../core/outbox.js" */
/** @import { SlashCommands } from "../core/slash-commands.js" */
/** @import { Completion } from "./completion.js" */

const MAX_BYTES = 4096;
const MAX_LINES = 20;
/** In Safari, the Enter that ends a composition comes after it, with this code. */
const COMPOSITION_END = 229;

export class Composer {
  #chat;
  #outbox;
  #commands;
  #completion;
  #scrollToEnd;
  #field;
  /** What was sent, to bring it back with ↑. @type {string[]} */
  #sent = [];
  #recalled = 0;
  /** Whether a command waits for its answer. */
  #isBusy = false;

  /**
   * @param {HTMLTextAreaElement} field
   * @param {Chat} chat
   * @param {Outbox} outbox
   * @param {SlashCommands} commands
   * @param {Completion} completion
   * @param {() => void} scrollToEnd
   */
  constructor(field, chat, outbox, commands, completion, scrollToEnd) {
    this.#field = field;
    this.#chat = chat;
    this.#outbox = outbox;
    this.#commands = commands;
    this.#completion = completion;
    this.#scrollToEnd = scrollToEnd;
    find(".compose").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
    field.addEventListener("input", () => this.#onInput());
    field.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** @param {Conversation} conversation */
  show(conversation) {
    this.#put(conversation.draft);
    this.#chat.complain("");
  }

  draw() {
    const { current } = this.#chat;
    const label = takesMessages(current)
      ? `Message ${current.name}`
      : "Type / for all commands";
    this.#field.placeholder = label;
    this.#field.ariaLabel = label;
  }

  #onInput() {
    this.#keep(this.#chat.current, this.#field.value);
    this.#chat.complain("");
    this.#grow();
    this.#completion.update();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const isComposing = event.isComposing || event.keyCode === COMPOSITION_END;
    if (isComposing || event.altKey) {
      return;
    }
    if (this.#completion.handleKey(event)) {
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void this.#submit();
    } else if (this.#recall(event.key)) {
      event.preventDefault();
    }
  }

  /**
   * Keeps a draft, so that it survives a reload. A text with a password is not kept.
   * @param {Conversation} conversation
   * @param {string} text
   */
  #keep(conversation, text) {
    conversation.draft = isSecret(text) ? "" : text;
    this.#chat.changed();
  }

  async #submit() {
    const text = this.#field.value;
    const { current } = this.#chat;
    if (!text.trim()) {
      return;
    }
    const isCommand =
      !text.trim().includes("\n") && parseCommand(text) !== null;
    if (this.#isBusy && isCommand) {
      this.#chat.complain("Waiting for the answer…");
      return;
    }
    this.#chat.complain("");
    try {
      const isDone = isCommand
        ? await this.#runCommand(text)
        : await this.#sendText(text);
      if (isDone) {
        this.#done(current, text);
      }
    } catch (error) {
      this.#chat.complain(messageOf(error));
    }
  }

  /** @param {string} text */
  async #runCommand(text) {
    this.#isBusy = true;
    try {
      await this.#commands.run(text);
      return true;
    } finally {
      this.#isBusy = false;
    }
  }

  /**
   * @param {Conversation} conversation
   * @param {string} text
   */
  #done(conversation, text) {
    const hasDialog = document.querySelector("dialog") !== null;
    if (conversation === this.#chat.current && !hasDialog) {
      this.#scrollToEnd();
    }
    if (!isSecret(text)) {
      this.#sent.push(text);
    }
    this.#recalled = this.#sent.length;
    if (conversation.draft === text) {
      this.#keep(conversation, "");
    }
    if (this.#field.value === text) {
      this.#put("");
    }
  }

  /**
   * Sends each line as a message. Returns false if the user cancels.
   * @param {string} text
   */
  async #sendText(text) {
    const lines = text.split(/\r?\n/).filter((line) => line.trim());
    // A command is never sent as a text, because it may contain a password.
    if (lines.some(parseCommand)) {
      throw new Error(
        "A command must be the only line. To send it as text, begin it with //.",
      );
    }
    const recipient = this.#commands.recipient();
    const texts = lines.map((line) => line.replace(/^(\s*)\/\//, "$1/"));
    const longest = Math.max(...texts.map(byteLength));
    if (longest > MAX_BYTES) {
      throw new Error(
        `This is too long for one message: it has ${longest} bytes, and at most ${MAX_BYTES} are allowed.`,
      );
    }
    const count = lines.length;
    if (count > MAX_LINES) {
      throw new Error(
        `This text has ${count} lines. Send at most ${MAX_LINES}.`,
      );
    }
    if (count > 1 && !(await confirmLines(count))) {
      return false;
    }
    for (const line of texts) {
      this.#outbox.post(recipient, line);
    }
    return true;
  }

  /**
   * Brings back a text that was sent. Returns false if there is none, or if another text is being
   * typed.
   * @param {string} key
   */
  #recall(key) {
    if (key !== "ArrowUp" && key !== "ArrowDown") {
      return false;
    }
    const next = this.#recalled + (key === "ArrowUp" ? -1 : 1);
    const isThere = next >= 0 && next <= this.#sent.length;
    const text = this.#field.value;
    const isBegun = text !== "" && text !== this.#sent[this.#recalled];
    if (!isThere || isBegun) {
      return false;
    }
    this.#recalled = next;
    this.#put(this.#sent[next] ?? "");
    return true;
  }

  /** @param {string} text */
  #put(text) {
    this.#field.value = text;
    this.#field.setSelectionRange(text.length, text.length);
    this.#grow();
    this.#completion.close();
  }

  /** Makes the field as high as its text. */
  #grow() {
    const { form, style } = this.#field;
    if (!form) {
      return;
    }
    // Nothing else may move while the field is measured.
    form.style.height = `${form.offsetHeight}px`;
    style.height = "";
    if (this.#field.value) {
      style.height = `${this.#field.scrollHeight}px`;
    }
    form.style.height = "";
  }
}

/** @param {number} count */
const confirmLines = (count) =>
  ask({
    title: `Send ${count} messages?`,
    text: "Each line becomes a message of its own.",
    confirm: `Send ${count} messages`,
  });
