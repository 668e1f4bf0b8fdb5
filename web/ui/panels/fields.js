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
 * The nick, where password managers find it.
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
 * One line of a list: a name, what is known of it, and what can be done with it.
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
 * A list, or a word about there being nothing in it.
 * @param {Template[]} items
 * @param {string} [none]
 */
export const list = (items, none) => html`
  <ul class="devices">
    ${items.length > 0 || !none ? items : html`<li class="soft">${none}</li>`}
  </ul>
`;

/**
 * A button that asks before it does what it says.
 * @param {string} verb
 * @param {string} name what it is done to
 * @param {string} text what follows from it
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
