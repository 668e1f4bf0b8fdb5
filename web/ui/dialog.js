// @ts-check
// Dialogs: panels that show something, and questions.

import { messageOf } from "../core/api.js";
import { html, nothing, render } from "../vendor/lit-html/lit-html.js";
import { find } from "./dom.js";

/** @typedef {import("../vendor/lit-html/lit-html.js").TemplateResult} Template */

/**
 * @typedef {object} Question
 * @property {string} [id]
 * @property {string} title
 * @property {string} text
 * @property {string} confirm what the button says
 * @property {Template | Template[]} [fields]
 * @property {(form: HTMLFormElement) => unknown} [action] while it fails, the dialog stays open and
 *   says why
 */

/**
 * Shows a dialog until it is closed. Resolves to true if its action was done.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<boolean>}
 */
function show(dialog) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      // The dialog may have been opened from a drawer, which is closed by now.
      if (!before?.checkVisibility()) {
        find("#open-sidebar").focus();
      }
      resolve(dialog.returnValue === "done");
    });
  });
}

/**
 * A dialog that is not shown yet.
 * @param {string} id
 * @param {string} title
 */
function createDialog(id, title) {
  const dialog = document.createElement("dialog");
  dialog.id = id;
  dialog.ariaLabel = title;
  return dialog;
}

/**
 * Opens a panel. `content` is drawn now, and again whenever the returned function is called. That
 * function takes an error to show below the content.
 * @param {string} id
 * @param {string} title
 * @param {() => unknown} content
 */
export function openDialog(id, title, content) {
  const dialog = createDialog(id, title);
  const draw = (error = "") => {
    render(
      html`
        <h2 tabindex="-1" autofocus>${title}</h2>
        ${content()}
        <p class="error" role="alert">${error}</p>
        <p class="buttons last">
          <button class="primary" @click=${() => dialog.close()}>Done</button>
        </p>
      `,
      dialog,
    );
    if (dialog.open && document.activeElement === document.body) {
      // The button that was pressed is gone.
      find("h2", HTMLElement, dialog).focus();
    }
  };
  draw();
  void show(dialog);
  return { dialog, draw };
}

/**
 * Asks a question. Resolves to true if it was confirmed and the action was done.
 * @param {Question} question
 * @returns {Promise<boolean>}
 */
export function ask({ id = "ask", title, text, confirm, fields, action }) {
  const dialog = createDialog(id, title);
  const onsubmit = async (/** @type {SubmitEvent} */ event) => {
    if (await submit(event, find(".error", HTMLElement, dialog), action)) {
      dialog.close("done");
    }
  };
  render(
    html`
      <form @submit=${onsubmit}>
        <h2>${title}</h2>
        <p class="soft">${text}</p>
        ${fields ?? nothing}
        <p class="error" id="${id}-error" role="alert"></p>
        <p class="buttons last">
          <button type="button" @click=${() => dialog.close()}>Cancel</button>
          <button class="primary" ?autofocus=${!fields}>${confirm}</button>
        </p>
      </form>
    `,
    dialog,
  );
  return show(dialog);
}

/**
 * Runs the action of a form. Resolves to true if it succeeded; otherwise `error` shows why not.
 * @param {SubmitEvent} event
 * @param {HTMLElement} error
 * @param {((form: HTMLFormElement) => unknown)} [action]
 */
export async function submit(event, error, action) {
  event.preventDefault();
  const button = /** @type {HTMLButtonElement} */ (event.submitter);
  button.disabled = true;
  error.textContent = "";
  try {
    await action?.(/** @type {HTMLFormElement} */ (event.target));
    return true;
  } catch (problem) {
    error.textContent = messageOf(problem);
    return false;
  } finally {
    button.disabled = false;
  }
}

/**
 * The value of a field in a form.
 * @param {ParentNode} form
 * @param {string} selector
 */
export const valueOf = (form, selector) =>
  find(selector, HTMLInputElement, form).value;
