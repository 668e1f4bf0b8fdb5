// @ts-check
// Pure functions over the text of messages.

/** @param {string} text */
export const byteLength = (text) => new TextEncoder().encode(text).length;

/**
 * The text of an action, as `/me` sends it; undefined for other messages.
 * @param {string} text
 */
export const actionIn = (text) =>
  /^\x01ACTION ([^\x01]*)\x01?$/.exec(text)?.[1];

/**
 * A text without colours and control characters.
 * @param {string} text
 */
export const plain = (text) =>
  (actionIn(text) ?? text).replace(
    /\x03(\d{1,2}(,\d{1,2})?)?|[\x00-\x08\x0b-\x1f\x7f]/g,
    "",
  );

/**
 * Whether a text contains a nick as a word.
 * @param {string} text
 * @param {string} nick
 */
export function mentions(text, nick) {
  const word = nick.replace(/[\\^$.*+?()[\]{}|-]/g, "\\$&");
  const other = "[^\\w[\\]\\\\`^{}|-]";
  return new RegExp(`(^|${other})${word}($|${other})`, "i").test(text);
}

/**
 * A text as a sentence: with a capital and a full stop.
 * @param {string} text
 */
export const sentence = (text) =>
  text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

// An address may contain brackets in pairs. The punctuation after it belongs to the sentence.
const LINK =
  /\bhttps?:\/\/(\([^\s()]*\)|[^\s<>"“”()])*(\([^\s()]*\)|[^\s<>"“”().,;:!?'*_~\]])/gi;

/**
 * A text, split into its links and the texts between them.
 * @param {string} text
 * @returns {{ text: string, isLink: boolean }[]}
 */
export function splitLinks(text) {
  const shown = plain(text);
  const pieces = [];
  let end = 0;
  for (const { 0: address, index } of shown.matchAll(LINK)) {
    if (!URL.canParse(address)) {
      continue;
    }
    pieces.push({ text: shown.slice(end, index), isLink: false });
    pieces.push({ text: address, isLink: true });
    end = index + address.length;
  }
  pieces.push({ text: shown.slice(end), isLink: false });
  return pieces.filter(({ text }) => text !== "");
}
