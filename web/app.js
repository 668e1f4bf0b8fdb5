// @ts-check
// The entry: shows the chat if this browser has a session, and the start page otherwise. The chat's
// modules are loaded only then.

import { get, Problem } from "./core/api.js";
import { showStartPage } from "./pages/start-page.js";
import { showPage } from "./ui/dom.js";

const FIRST_RETRY = 1_000;
const LONGEST_RETRY = 30_000;

async function begin(retry = FIRST_RETRY) {
  try {
    const snapshot = await get("/session");
    const { startChat } = await import("./pages/chat-page.js");
    showPage("#chat-view");
    startChat(snapshot);
  } catch (error) {
    if (error instanceof Problem && error.loggedOut) {
      showStartPage(error.reason, begin);
      return;
    }
    if (!(error instanceof Problem)) {
      console.error(error);
    }
    showPage("#trouble-view");
    setTimeout(begin, retry, Math.min(retry * 2, LONGEST_RETRY));
  }
}

// A page that the Back button restores has a dead connection.
addEventListener("pageshow", (/** @type {PageTransitionEvent} */ event) => {
  if (event.persisted) {
    location.reload();
  }
});

begin();
