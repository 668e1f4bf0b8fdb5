// @ts-check
// How a nick looks: its colour, and its avatar.

import { hue, initial } from "../core/names.js";
import { Directive, directive } from "../vendor/lit-html/directive.js";
import { html, noChange } from "../vendor/lit-html/lit-html.js";

/** @import { ElementPart } from "../vendor/lit-html/lit-html.js" */

/** Sets a property of the style. The page's policy forbids `style` attributes. */
class NickColour extends Directive {
  /** @param {string} _nick */
  render(_nick) {
    return noChange;
  }

  /**
   * @override
   * @param {ElementPart} part
   * @param {[nick: string]} values
   */
  update({ element }, [nick]) {
    if (element instanceof HTMLElement) {
      element.style.setProperty("--hue", String(hue(nick)));
    }
    return noChange;
  }
}

/** Gives an element the colour of a nick: `<b ${nickColour(nick)}>`. */
export const nickColour = directive(NickColour);

/** @param {string} nick */
export function avatar(nick) {
  const colour = nickColour(nick);
  const letter = initial(nick);
  return html`<span class="avatar" aria-hidden="true" ${colour}
    >${letter}</span
  >`;
}
