// @ts-check
// Says things to people who hear the page.

import { find } from "./dom.js";

/** Of more texts at once, only the number is said. */
const MAX_SPOKEN = 3;
/** So long texts are collected. */
const PAUSE = 400;

/**
 * A function that says a text, in the page's live region.
 * @returns {(text: string) => void}
 */
export function createAnnouncer() {
  const region = find("#spoken");
  /** @type {string[]} */
  const waiting = [];

  function speak() {
    const texts = waiting.splice(0);
    const isMany = texts.length > MAX_SPOKEN;
    region.replaceChildren(
      isMany ? `${texts.length} new messages` : texts.join("\n"),
    );
  }

  return (text) => {
    waiting.push(text);
    if (waiting.length === 1) {
      setTimeout(speak, PAUSE);
    }
  };
}
