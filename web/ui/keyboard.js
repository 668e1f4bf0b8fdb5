// @ts-check
// The keys that work anywhere in the chat.

import { find } from "./dom.js";

/** @import { Chat } from "../core/chat.js" */

/** Moves the focus to the field where the user writes. @param {Chat} chat */
export function focusField({ current, session }) {
  const isBrowsing = current === session.browse;
  find(isBrowsing ? "#join-name" : "#composer").focus();
}

/** @param {Chat} chat */
export function listenForKeys(chat) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog")) {
      return;
    }
    const step = event.altKey ? stepOf(event.key) : 0;
    if (step !== 0) {
      event.preventDefault();
      openNeighbour(chat, step);
    } else if (isTyping(event)) {
      focusField(chat);
    }
  });
}

/** @param {string} key */
function stepOf(key) {
  if (key === "ArrowUp") {
    return -1;
  }
  return key === "ArrowDown" ? 1 : 0;
}

/**
 * @param {Chat} chat
 * @param {number} step
 */
function openNeighbour(chat, step) {
  const { session, current } = chat;
  const conversations = [...session.channels(), ...session.directs()];
  const place = Math.max(conversations.indexOf(current) + step, -1);
  const next = conversations.at(place % conversations.length);
  if (next) {
    chat.open(next);
  }
}

/**
 * Whether a key types a character outside of any field.
 * @param {KeyboardEvent} event
 */
function isTyping({ key, ctrlKey, metaKey, altKey, target }) {
  const isCharacter = key.length === 1 && key !== " ";
  const hasModifier = ctrlKey || metaKey || altKey;
  const isInField =
    target instanceof Element && target.closest("input, textarea") !== null;
  return isCharacter && !hasModifier && !isInField;
}
