// @ts-check
// The secret of a key, which is shown once.

import { html } from "../../vendor/lit-html/lit-html.js";
import { find, setText } from "../dom.js";

/** @import { KeySecret } from "./new-key.js" */

/** @param {KeySecret} secret */
export const secretNotice = ({ client_id, client_secret, name }) => html`
  <p class="notice">
    This is the secret of ${name}. Keep it: it is shown only now. Get tokens at
    <b class="address">${location.origin}/auth/token</b>
  </p>
  ${copyRow("Client id", client_id)} ${copyRow("Secret", client_secret)}
`;

/**
 * @param {string} label
 * @param {string} value
 */
const copyRow = (label, value) => html`
  <p class="row">
    <label>${label} <input value=${value} readonly /></label>
    <button aria-label="Copy ${label}" @click=${copy}>Copy</button>
  </p>
`;

/**
 * Copies the field beside a button. `navigator.clipboard` is missing on plain http.
 * @param {MouseEvent} event
 */
function copy(event) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  const row = /** @type {HTMLElement} */ (button.parentElement);
  find("input", HTMLInputElement, row).select();
  const isCopied = document.execCommand("copy");
  setText(button, isCopied ? "Copied" : "Press Ctrl+C");
}
