// @ts-check
// Helpers over the document.

/**
 * The element that a selector names. Fails if there is none of this type.
 * @template {Element} [T=HTMLElement]
 * @param {string} selector
 * @param {new () => T} [type]
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function find(
  selector,
  type = /** @type {any} */ (HTMLElement),
  root = document,
) {
  const found = root.querySelector(selector);
  if (found instanceof type) {
    return found;
  }
  throw new Error(`The page has no ${type.name} ${selector}.`);
}

/**
 * Sets a text, unless the element has it already, because screen readers announce every change.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/** Whether the page is visible and has the focus. */
export const isWatched = () => !document.hidden && document.hasFocus();

/** Whether a password manager led here, by /.well-known/change-password. */
export const wantsPasswordChange = () =>
  new URLSearchParams(location.search).has("change-password");

/**
 * Shows one of the page's templates, and nothing else.
 * @param {string} selector
 */
export function showPage(selector) {
  const template = find(selector, HTMLTemplateElement);
  find("#app").replaceChildren(template.content.cloneNode(true));
}
