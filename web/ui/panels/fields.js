// @ts-check
// Fields and rows that several panels have.

import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { ask } from "../dialog.js";

/** @typedef {import("../dialog.js").Template} Template */

/**
 * The field for the password that the session has.
 * @param {string} label
 */
export const currentPassword = (label) => html`
  <label>
    ${label}
    <input
      id="current-password"
      type="password"
      autocomplete="current-password"
      required
      autofocus
    />
  </label>
`;

/**
 * The nick, for password managers.
 * @param {string} nick
 */
export const username = (nick) => html`
  <input
    class="unseen"
    value=${nick}
    autocomplete="username"
    readonly
    tabindex="-1"
    aria-hidden="true"
  />
`;

/**
 * A row of a list: a name, details and buttons.
 * @param {unknown} name
 * @param {string[]} lines
 * @param {unknown} [buttons]
 */
export const listItem = (name, lines, buttons = nothing) => html`
  <li>
    <div>
      <b>${name}</b>
      ${lines.map((line) => html`<small>${line}</small>`)}
    </div>
    <span class="buttons">${buttons}</span>
  </li>
`;

/**
 * A list, or a text if it is empty.
 * @param {Template[]} items
 * @param {string} [none]
 */
export const list = (items, none) => html`
  <ul class="devices">
    ${items.length > 0 || !none ? items : html`<li class="soft">${none}</li>`}
  </ul>
`;

/**
 * A button that asks for confirmation.
 * @param {string} verb
 * @param {string} name the name of the thing that it changes
 * @param {string} text the consequences
 * @param {(form: HTMLFormElement) => unknown} action
 * @param {Template} [fields]
 */
export function confirmButton(verb, name, text, action, fields) {
  const question = {
    title: `${verb} ${name}?`,
    text,
    confirm: verb,
    action,
    fields,
  };
  return html`
    <button aria-label="${verb} ${name}" @click=${() => void ask(question)}>
      ${verb}
    </button>
  `;
}
