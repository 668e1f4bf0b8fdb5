// @ts-check
// Nicks and names of channels.

/**
 * The form in which names are compared: ASCII in lower case, as on the server.
 * @param {string} name
 */
export const fold = (name) =>
  name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/**
 * @param {string} a
 * @param {string} b
 */
export const same = (a, b) => fold(a) === fold(b);

export const NICK_RULE =
  "A nick has 1 to 32 letters, digits or any of -_[]{}\\|^`, and does not begin with a digit or a dash.";

/** @param {string} name */
export const isNick = (name) =>
  /^[A-Za-z[\]\\`_^{|}][\w[\]\\`^{|}-]{0,31}$/.test(name);

/** @param {string} name */
export const isChannel = (name) => name.startsWith("#");

/**
 * The letter on an avatar.
 * @param {string} nick
 */
export const initial = (nick) =>
  (nick.match(/[a-z0-9]/i)?.[0] ?? nick[0]).toUpperCase();

/**
 * The hue of a nick, 0 to 359.
 * @param {string} nick
 */
export const hue = (nick) =>
  [...fold(nick)].reduce(
    (sum, letter) => (sum * 37 + (letter.codePointAt(0) ?? 0)) % 360,
    0,
  );
