// @ts-check
// The panel with the session's devices: adding one, removing others, logging out.

import { get, messageOf, post, remove } from "../../core/api.js";
import { fromNow } from "../../core/time.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ask, openDialog, valueOf } from "../dialog.js";
import {
  confirmButton,
  currentPassword,
  list,
  listItem,
  username,
} from "./fields.js";
import { askForPassword } from "./password.js";
import { askToRemoveOthers } from "./remove-others.js";

/** @import { Chat } from "../../core/chat.js" */

/**
 * @typedef {object} Device
 * @property {number} id
 * @property {string} name
 * @property {boolean} current
 * @property {string} created_at
 * @property {string} seen_at
 * @property {string} expires_at
 * @property {{ first: string, last: string } | null} [address]
 */

/**
 * Opens the panel. Returns a function to call when the devices have changed.
 * @param {Chat} chat
 * @returns {() => void}
 */
export function openDevices(chat) {
  const { nick } = chat.session;
  /** @type {Device[]} */
  let devices = [];
  const { dialog, draw } = openDialog("devices", "Devices", content);
  void refresh();
  return () => {
    if (dialog.open) {
      void refresh();
    }
  };

  function content() {
    return html`
      ${list(devices.map(deviceItem))}
      <button class="others" ?hidden=${devices.length < 2} @click=${askOthers}>
        Remove all others
      </button>
      <h3>Add a device</h3>
      <div class="add">
        ${chat.session.hasPassword ? howToAdd() : howToStart()}
      </div>
      <h3>Leave</h3>
      <p class="buttons">
        <button class="log-out" @click=${leave}>Log out here</button>
        <button class="danger" @click=${endSession}>
          End session everywhere
        </button>
      </p>
    `;
  }

  /**
   * Runs an action, and then shows the current devices.
   * @param {() => unknown} [action]
   */
  async function refresh(action) {
    try {
      await action?.();
      devices = await get("/clients");
      draw();
    } catch (error) {
      draw(messageOf(error));
    }
  }

  function howToStart() {
    const setPassword = async () => {
      await askForPassword(chat);
      await refresh();
    };
    return html`
      <p class="soft">
        To log in on another device you need a password, and this session has
        none yet.
        <button class="link" @click=${setPassword}>Set a password</button>
      </p>
    `;
  }

  function howToAdd() {
    const query = `?nick=${encodeURIComponent(nick)}`;
    return html`
      <p class="soft">
        Scan this with a phone, or open the address and log in:
        <b>${location.origin}/login${query}</b>
      </p>
      <img
        class="code"
        alt="QR code of this address"
        src="/login/code${query}"
      />
    `;
  }

  /** @param {Device} device */
  function deviceItem(device) {
    const { name, current, created_at, seen_at, expires_at, address } = device;
    const added = `Added ${fromNow(created_at)}${from(address?.first)}`;
    const used = current ? "in use now" : `last used ${fromNow(seen_at)}`;
    const tag = html`${name}<span class="tag">this device</span>`;
    return listItem(
      current ? tag : name,
      [
        `${added}, ${used}${from(address?.last)}`,
        `Login expires ${fromNow(expires_at)} unless renewed`,
      ],
      current ? renewButton() : removeButton(device),
    );
  }

  function renewButton() {
    if (!chat.session.hasPassword) {
      return nothing;
    }
    return html`<button class="renew" @click=${renew}>Renew</button>`;
  }

  /** @param {Device} device */
  function removeButton({ id, name }) {
    return confirmButton("Remove", name, "It is logged out at once.", () =>
      refresh(() => remove(`/clients/${id}`)),
    );
  }

  async function renew() {
    const isRenewed = await ask({
      id: "renew",
      title: "Renew this device",
      text: "It then stays logged in for the full time again. A copy of its old cookie no longer works.",
      confirm: "Renew",
      fields: html`${username(nick)} ${currentPassword("Password")}`,
      action: (form) => {
        const password = valueOf(form, "#current-password");
        return post("/login", { nick, password });
      },
    });
    if (isRenewed) {
      await refresh();
    }
  }

  function askOthers() {
    return refresh(() => askToRemoveOthers("Remove all others?"));
  }

  async function leave() {
    await refresh();
    if (devices.length > 1) {
      await refresh(logOut);
      return;
    }
    askToEnd(
      "Log out your last device?",
      "This is the last device of the session, so the session ends:",
      logOut,
    );
  }

  async function logOut() {
    await post("/logout");
    chat.loggedOut("logged_out");
  }

  function endSession() {
    askToEnd(
      "End the session everywhere?",
      "All your devices are logged out,",
      async () => {
        await remove("/session");
        chat.loggedOut("session_ended");
      },
    );
  }

  /**
   * @param {string} title
   * @param {string} text
   * @param {() => unknown} action
   */
  function askToEnd(title, text, action) {
    void ask({
      title,
      text: `${text} you leave your channels, and others can take the nick ${nick}.`,
      confirm: "End session",
      action,
    });
  }
}

/** @param {string | undefined} address */
const from = (address) => (address ? ` from ${address}` : "");
