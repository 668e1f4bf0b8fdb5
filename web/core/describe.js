// @ts-check
// Events and replies as sentences.

import { describeMode, parseModes } from "./modes.js";
import { plain } from "./text.js";

/** @import { ChatEvent, Item, Reply } from "./types.js" */

/** @param {ChatEvent} event */
export function describe({ source, command, params }) {
  switch (command) {
    case "JOIN":
      return `${source} joined`;
    case "PART":
      return `${source} left${inBrackets(params[1])}`;
    case "QUIT":
      return `${source} quit${inBrackets(params[0])}`;
    case "NICK":
      return `${source} is now ${params[0]}`;
    case "KICK":
      return `${source} removed ${params[1]}${kickReason(source, params[2])}`;
    case "TOPIC":
      return params[1]
        ? `${source} set the topic: ${params[1]}`
        : `${source} cleared the topic`;
    case "MODE":
      return parseModes(params.slice(1))
        .map((change) => `${source} ${describeMode(change)}`)
        .join("; ");
    case "SILENCE":
      return params[0].startsWith("-")
        ? `You no longer block ${params[0].slice(1)}`
        : `You block ${params[0].slice(1)}`;
    case "AWAY":
      return params[0]
        ? `${source} is away: ${params[0]}`
        : `${source} is back`;
    default:
      return [source, command, ...params].join(" ");
  }
}

/**
 * The reason of a KICK. A KICK without a reason has its source's nick there.
 * @param {string} source
 * @param {string | undefined} text
 */
export const kickReason = (source, text) =>
  inBrackets(text === source ? "" : text);

/** @param {string | undefined} text */
const inBrackets = (text) => (text ? ` (${text})` : "");

/** @type {Record<string, string>} */
const PRESENCE = {
  JOIN: "joined",
  PART: "left",
  QUIT: "left",
  NICK: "changed nick",
};
const MAX_NAMED = 3;

/**
 * Whether an event is a join, a leave or a change of nick.
 * @param {Item} item
 * @returns {item is ChatEvent}
 */
export const isPresence = (item) => !item.local && item.command in PRESENCE;

/**
 * Several of these events in one line.
 * @param {ChatEvent[]} events
 */
export function summarize(events) {
  /** @type {Map<string, Set<string>>} */
  const nicksByVerb = new Map();
  for (const { command, source } of events) {
    const verb = PRESENCE[command];
    const nicks = nicksByVerb.get(verb) ?? new Set();
    nicksByVerb.set(verb, nicks.add(source));
  }
  return [...nicksByVerb]
    .map(([verb, nicks]) => `${someOf([...nicks])} ${verb}`)
    .join("; ");
}

/** @param {string[]} nicks */
function someOf(nicks) {
  const named = nicks.slice(0, MAX_NAMED).join(", ");
  const more = nicks.length - MAX_NAMED;
  return more > 0 ? `${named} and ${more} more` : named;
}

/** Replies that are not shown: the ends of lists, and echoes. */
const HIDDEN = [
  ...["272", "311", "312", "315", "318", "329", "333", "366", "368"],
  ...["PONG", "MARKREAD", "NOTE"],
];
/** Replies to a JOIN that the page shows elsewhere. */
const HIDDEN_AFTER_JOIN = ["331", "332", "353"];

/** @type {Record<string, (params: string[]) => string>} */
const REPLIES = {
  271: ([, mask]) => `You block ${mask}`,
  301: ([nick, text]) => `${nick} is away: ${text}`,
  319: ([nick, channels]) => `${nick} is in ${channels}`,
  332: ([channel, topic]) => `The topic of ${channel}: ${topic}`,
  341: ([nick, channel]) => `You invited ${nick} to ${channel}`,
  367: ([channel, mask, by]) =>
    `${channel} bans ${mask}${by ? `, set by ${by}` : ""}`,
};

/**
 * The lines that show a command's replies.
 * @param {Reply[]} replies
 * @param {string} [verb] the command
 */
export function replyLines(replies, verb) {
  const isShown = (/** @type {Reply} */ { command }) =>
    !HIDDEN.includes(command) &&
    !(verb === "JOIN" && HIDDEN_AFTER_JOIN.includes(command));
  return replies.filter(isShown).map(replyLine);
}

/** @param {Reply} reply */
function replyLine({ command, params }) {
  if (!/^\d/.test(command)) {
    return params.at(-1) ?? "";
  }
  const rest = params.slice(1);
  return plain(REPLIES[command]?.(rest) ?? rest.join(" – "));
}
