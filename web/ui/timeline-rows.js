// @ts-check
// The rows of the message list, as templates.

import { isMessage } from "../core/conversation.js";
import { describe, summarize } from "../core/describe.js";
import { same } from "../core/names.js";
import { actionIn, plain, splitLinks } from "../core/text.js";
import { clock, fullTime } from "../core/time.js";
import { html, nothing } from "../vendor/lit-html/lit-html.js";
import { avatar, nickColour } from "./nick.js";

/** @import { ChatEvent, Item, PendingMessage } from "../core/types.js" */
/** @import { SessionState } from "../core/session-state.js" */
/** @typedef {ChatEvent | PendingMessage} Message */

/** Messages of one nick within this time form a group. */
const TOGETHER = 5 * 60_000;

/**
 * A text with its links.
 * @param {string} text
 */
export const linkify = (text) =>
  splitLinks(text).map((piece) =>
    piece.isLink ? link(piece.text) : piece.text,
  );

/** @param {string} address */
const link = (address) =>
  html`<a href=${address} target="_blank" rel="noopener noreferrer"
    >${address}</a
  >`;

/** @param {{ time: string }} item */
const timeOf = ({ time }) =>
  html`<time datetime=${time} title=${fullTime(time)}>${clock(time)}</time>`;

/**
 * The app or device that sent a message, if it is not the usual one.
 * @param {Message} message
 * @param {SessionState} session
 */
function origin(message, session) {
  if ("app" in message && message.app) {
    return `via ${message.app}`;
  }
  return session.isMine(message) && !message.label ? "from another device" : "";
}

/**
 * Whether a message belongs to the group of the message before it.
 * @param {Message} message
 * @param {Item | Message | null | undefined} previous
 * @param {SessionState} session
 */
function isTogether(message, previous, session) {
  if (!previous || !isMessage(previous)) {
    return false;
  }
  return (
    same(previous.source, message.source) &&
    previous.command === message.command &&
    origin(previous, session) === origin(message, session) &&
    Date.parse(message.time) - Date.parse(previous.time) < TOGETHER
  );
}

/**
 * @param {Message} message
 * @param {Item | Message | null | undefined} previous the row above, on the same day
 * @param {SessionState} session
 * @param {{ classes?: string, state?: unknown }} [pending] what is special about a pending one
 */
export function messageRow(message, previous, session, pending = {}) {
  const { source, params } = message;
  const isAction = actionIn(params[1]) !== undefined;
  const together = isTogether(message, previous, session);
  const classes = [
    "message",
    together ? "together" : "first",
    isAction && "action",
    session.isForMe(message, { kind: "channel" }) && "mention",
    pending.classes,
  ];
  return html`
    <div
      class=${classes.filter(Boolean).join(" ")}
      data-id=${"id" in message ? message.id : nothing}
      data-source=${source}
    >
      ${together ? shortHead(message) : fullHead(message, session)}
      ${messageText(params[1], isAction ? `${source} ` : "")}
      ${pending.state ?? nothing}
    </div>
  `;
}

/**
 * The text of a message, in which every blank is shown.
 * @param {string} text
 * @param {string} before
 */
const messageText = (text, before) =>
  html`<div class="text" dir="auto">${before}${linkify(text)}</div>`;

/** @param {Message} message */
const shortHead = (message) => html`
  ${timeOf(message)}
  <b class="nick unseen">${message.source}</b>
`;

/**
 * @param {Message} message
 * @param {SessionState} session
 */
const fullHead = (message, session) => html`
  ${avatar(message.source)}
  <div class="by">
    <b class="nick" ${nickColour(message.source)}>${message.source}</b>
    ${timeOf(message)}
    <small>${origin(message, session)}</small>
  </div>
`;

/**
 * An event, or a local line.
 * @param {Item} item
 */
export function eventRow(item) {
  const text = plain(item.local ? item.text : describe(item));
  const kind = item.local ? item.kind : "";
  return html`
    <div
      class="event ${kind}"
      data-id=${item.local ? nothing : item.id}
      data-source=${item.local ? nothing : item.source}
    >
      <span class="text" dir="auto">${text}</span> ${timeOf(item)}
      ${item.local && item.action ? actionButton(item.action) : nothing}
    </div>
  `;
}

/** @param {{ name: string, run: () => void }} action */
const actionButton = ({ name, run }) =>
  html`<button class="link" @click=${run}>${name}</button>`;

/**
 * Several joins, leaves and changes of nick, as one line that can be opened.
 * @param {ChatEvent[]} events
 */
export const presenceGroup = (events) => html`
  <details class="event">
    <summary>${summarize(events)}</summary>
    ${events.map(eventRow)}
  </details>
`;

/**
 * A message that is not in the log yet.
 * @param {PendingMessage} message
 * @param {Item | Message | null | undefined} previous
 * @param {SessionState} session
 * @param {{ retry: () => void, discard: () => void }} actions
 */
export function pendingRow(message, previous, session, actions) {
  return messageRow(message, previous, session, {
    classes: `pending ${message.state}`,
    state: pendingState(message, actions),
  });
}

/**
 * @param {PendingMessage} message
 * @param {{ retry: () => void, discard: () => void }} actions
 */
function pendingState({ state, error }, { retry, discard }) {
  if (state === "waiting") {
    return html`<p class="state">Waiting for the server…</p>`;
  }
  if (state === "sending") {
    return nothing;
  }
  return html`
    <p class="state">
      ${state === "lost" ? "Perhaps not sent" : "Not sent"}. ${error}
      <button class="link retry" @click=${retry}>Try again</button>
      <button class="link discard" @click=${discard}>Discard</button>
    </p>
  `;
}
