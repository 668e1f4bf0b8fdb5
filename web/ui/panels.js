// @ts-check
// The panels, each loaded when it is first opened.

import { failUnreachable } from "../core/api.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { SlashCommand } from "../core/slash-commands.js" */

export class Panels {
  #chat;
  /** @type {SlashCommand[]} */
  #commands = [];
  /** Refreshes the panel with the devices, once there is one. */
  #refreshDevices = () => {};

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  /**
   * Opens the panels that the page's buttons name.
   * @param {SlashCommand[]} commands for the panel that lists them
   */
  listen(commands) {
    this.#commands = commands;
    /** @type {NodeListOf<HTMLElement>} */
    const buttons = document.querySelectorAll("[data-panel]");
    for (const button of buttons) {
      button.addEventListener("click", () => {
        this.open(button.dataset.panel).catch(this.#chat.explain);
      });
    }
  }

  /** @param {string | undefined} name */
  async open(name) {
    switch (name) {
      case "devices": {
        const { openDevices } = await load(import("./panels/devices.js"));
        this.#refreshDevices = openDevices(this.#chat);
        break;
      }
      case "apps": {
        const { openApps } = await load(import("./panels/apps.js"));
        openApps(this.#chat);
        break;
      }
      case "help": {
        const { openHelp } = await load(import("./panels/help.js"));
        openHelp(this.#commands);
        break;
      }
      default:
        await this.openPassword();
    }
  }

  devicesChanged() {
    this.#refreshDevices();
  }

  /**
   * @param {string} [typed] a new password that was typed already
   * @param {boolean} [isChange] whether the session is known to have a password
   */
  async openPassword(typed, isChange) {
    const { askForPassword } = await load(import("./panels/password.js"));
    void askForPassword(this.#chat, typed, isChange);
  }
}

/**
 * @template T
 * @param {Promise<T>} module
 * @returns {Promise<T>}
 */
const load = (module) => module.catch(failUnreachable);
