// @ts-check
// The panel that sets or changes the session's password.

import { get, remove } from "../../core/api.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ask, valueOf } from "../dialog.js";
import { currentPassword, username } from "./fields.js";
import { askToRemoveOthers, countKeys } from "./remove-others.js";

/** @import { Chat } from "../../core/chat.js" */

/**
 * Asks for a new password. Nothing that is typed outlives the dialog.
 * @param {Chat} chat
 * @param {string} [typed] a new password that was typed already
 * @param {boolean} [isChange] whether the session is known to have a password
 */
export async function askForPassword(
  chat,
  typed = "",
  isChange = chat.session.hasPassword,
) {
  const isSaved = await ask({
    id: "password",
    title: isChange ? "Change password" : "Set a password",
    text: "Log in with it on another device to be in the same session: same nick, same channels.",
    confirm: "Save password",
    fields: html`
      ${username(chat.session.nick)}
      ${isChange ? currentPassword("Current password") : nothing}
      ${newPassword(typed, !isChange)}
      <small id="password-rule">
        8 to 256 characters. A few words with spaces are fine.
      </small>
    `,
    action: async (form) => {
      const params = [valueOf(form, "#new-password")];
      if (isChange) {
        params.push(valueOf(form, "#current-password"));
      }
      await chat.run("PASS", params);
      await chat.refreshSession();
    },
  });
  if (isSaved && isChange) {
    await offerToLogOutOthers();
  }
}

/**
 * @param {string} typed
 * @param {boolean} isFirst
 */
const newPassword = (typed, isFirst) => html`
  <label>
    New password
    <input
      id="new-password"
      type="password"
      autocomplete="new-password"
      aria-describedby="password-rule password-error"
      value=${typed}
      ?autofocus=${isFirst}
    />
  </label>
`;

/** Offers to end what a change of the password does not end: other devices and keys. */
async function offerToLogOutOthers() {
  const devices = await get("/clients");
  if (devices.length > 1) {
    await askToRemoveOthers(
      "Password changed. Log out your other devices, too?",
    );
    return;
  }
  const keys = await countKeys();
  if (keys === 0) {
    return;
  }
  await ask({
    title: "Password changed. Revoke your API keys, too?",
    text: `${keys === 1 ? "One key still works" : `${keys} keys still work`}.`,
    confirm: "Revoke all keys",
    action: () => remove("/keys"),
  });
}
