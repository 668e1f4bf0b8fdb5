// @ts-check
// The dot that shows whether the page is connected.

import { find, setText } from "./dom.js";

/** @import { ConnectionState } from "../core/delivery.js" */

const TEXTS = {
  connected: "Connected",
  reconnecting: "Reconnecting…",
  offline: "You are offline",
};

/** @param {ConnectionState} state */
export function showConnection(state) {
  const status = find("#connection");
  status.dataset.state = state;
  status.title = TEXTS[state];
  setText(find("span", HTMLElement, status), TEXTS[state]);
}
