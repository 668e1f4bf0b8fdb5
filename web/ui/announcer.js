// @ts-check
// Announces texts to screen readers.

import { find } from "./dom.js";

/** If more texts are waiting, only their number is announced. */
const MAX_SPOKEN = 3;
/** The time for which texts are collected, in milliseconds. */
const PAUSE = 400;

/**
 * Returns a function that announces a text in the page's live region.
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
