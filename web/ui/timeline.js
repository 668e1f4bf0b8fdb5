// @ts-check
// The rows of a conversation, in order: days, the "New" line, messages and other events.

import { isMessage } from "../core/conversation.js";
import { isPresence } from "../core/describe.js";
import { dayName, sameDay } from "../core/time.js";
import { guard } from "../vendor/lit-html/directives/guard.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { html } from "../vendor/lit-html/lit-html.js";
import { eventRow, messageRow, presenceGroup } from "./timeline-rows.js";

/** @import { Conversation } from "../core/conversation.js" */
/** @import { SessionState } from "../core/session-state.js" */
/** @import { ChatEvent, Item } from "../core/types.js" */

/**
 * The rows of a conversation. A row with the same key keeps its element, and is drawn again only
 * when its inputs have changed.
 * @param {Conversation} conversation
 * @param {SessionState} session
 */
export const timeline = (conversation, session) =>
  repeat(
    arrange(conversation, session),
    ({ key }) => key,
    (row) => guard(row.inputs, () => drawRow(row, session)),
  );

/**
 * A row: what it shows, its key, and what it depends on.
 * @typedef {{ key: string, inputs: unknown[] } & (
 *   | { type: "day", time: string }
 *   | { type: "new" }
 *   | { type: "message", message: ChatEvent, previous: Item | null }
 *   | { type: "event", item: Item }
 *   | { type: "presence", events: ChatEvent[] }
 * )} Row
 */

/**
 * The rows of a conversation.
 * @param {Conversation} conversation
 * @param {SessionState} session
 * @returns {Row[]}
 */
function arrange({ items, newFrom }, session) {
  /** @type {Row[]} */
  const rows = [];
  /** @type {Item | null} */
  let previous = null;
  let isNewLineDue = newFrom !== null;
  let localCount = 0;
  for (const item of items) {
    localCount += item.local ? 1 : 0;
    const key = item.local ? `local ${localCount}` : String(item.id);
    const isNewDay = !previous || !sameDay(previous.time, item.time);
    if (isNewDay) {
      const { time } = item;
      rows.push({ type: "day", key: `day ${key}`, time, inputs: [time] });
    }
    const isNew = isMessage(item) && !session.isMine(item);
    if (isNewLineDue && isNew && item.id > Number(newFrom)) {
      isNewLineDue = false;
      rows.push({ type: "new", key: "new", inputs: [] });
    }
    const last = rows.at(-1);
    if (isMessage(item)) {
      const above = isNewDay ? null : previous;
      const inputs = [item, above];
      rows.push({
        type: "message",
        key,
        message: item,
        previous: above,
        inputs,
      });
    } else if (last?.type === "presence" && isPresence(item)) {
      last.events.push(item);
      last.inputs.push(item);
    } else if (isPresence(item)) {
      rows.push({ type: "presence", key, events: [item], inputs: [item] });
    } else {
      rows.push({ type: "event", key, item, inputs: [item] });
    }
    previous = item;
  }
  return rows;
}

/**
 * @param {Row} row
 * @param {SessionState} session
 */
function drawRow(row, session) {
  switch (row.type) {
    case "day":
      return html`<div class="day">${dayName(row.time)}</div>`;
    case "new":
      return html`<div class="new">New since you left</div>`;
    case "message":
      return messageRow(row.message, row.previous, session);
    case "event":
      return eventRow(row.item);
    case "presence":
      return row.events.length === 1
        ? eventRow(row.events[0])
        : presenceGroup(row.events);
  }
}
