// @ts-check
// The browser's notifications, and the button that turns them on.

import { isWatched, find } from "./dom.js";
import { plain } from "../core/text.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */
/** @import { ChatEvent } from "../core/types.js" */

const WORKER = "/assets/worker.js";
/** The storage key that says that the user wants notifications. */
const WANTED = "notify";

export class Notifications {
  #chat;
  #button = find("#notify");
  /** Phones accept notifications only from a service worker. On plain http there is none. */
  #workers = navigator.serviceWorker;

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
    this.#button.hidden = !this.#workers || !window.Notification;
    this.#button.addEventListener("click", () => {
      this.#toggle().then(() => this.draw(), chat.explain);
    });
    this.#workers?.addEventListener("message", ({ data }) => {
      chat.open(chat.session.find(data) ?? chat.session.server);
    });
    this.#workers?.startMessages();
  }

  draw() {
    const isOn = this.#isOn;
    this.#button.ariaPressed = String(isOn);
    this.#button.title = isOn
      ? "Notifications are on"
      : "Notify me of mentions and direct messages";
  }

  /**
   * Shows a notification of a message for the user, unless the page is watched.
   * @param {ChatEvent} event
   * @param {Conversation} conversation
   */
  async notify(event, conversation) {
    const isForMe = this.#chat.session.isForMe(event, conversation);
    if (!this.#isOn || isWatched() || !isForMe) {
      return;
    }
    const worker = await this.#workers.getRegistration(WORKER);
    const { kind, name } = conversation;
    const title =
      kind === "channel" ? `${event.source} in ${name}` : event.source;
    // All tabs use the same tag, so that it is shown once.
    await worker?.showNotification(title, {
      body: plain(event.params[1]),
      tag: String(event.id),
      data: name,
    });
  }

  get #isOn() {
    const isWanted = localStorage.getItem(WANTED) !== null;
    return isWanted && window.Notification?.permission === "granted";
  }

  async #toggle() {
    if (this.#isOn) {
      localStorage.removeItem(WANTED);
      return;
    }
    if ((await Notification.requestPermission()) !== "granted") {
      this.#chat.complain(
        "Your browser blocks notifications from this site. Allow them in its settings.",
      );
      return;
    }
    await this.#workers.register(WORKER);
    localStorage.setItem(WANTED, "yes");
  }
}
