// @ts-check
// Asks whether to remove all other devices from the session.

import { get, remove } from "../../core/api.js";
import { html } from "../../vendor/lit-html/lit-html.js";
import { ask } from "../dialog.js";

/** The number of the session's live API keys. */
export async function countKeys() {
  /** @type {{ ended_at: string | null }[]} */
  const keys = await get("/keys");
  return keys.filter(({ ended_at }) => !ended_at).length;
}

/**
 * Asks to remove all other devices. That does not end API keys, so the dialog offers to revoke
 * them, too.
 * @param {string} title
 * @returns {Promise<boolean>} whether they were removed
 */
export async function askToRemoveOthers(title) {
  const keys = await countKeys();
  return ask({
    title,
    text: "Only this device stays in the session.",
    confirm: "Remove all others",
    fields: keys > 0 ? revokeKeys(keys) : undefined,
    action: async (form) => {
      if (form.querySelector(":checked")) {
        await remove("/keys");
      }
      await remove("/clients");
    },
  });
}

/** @param {number} count */
const revokeKeys = (count) => html`
  <label>
    <input type="checkbox" value="keys" /> Revoke my API keys, too (${count})
  </label>
`;
