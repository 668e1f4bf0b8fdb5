// @ts-check
// The page without a session: pick a nick, or go to the login page.

import { messageOf, post, Problem } from "../core/api.js";
import { isNick, NICK_RULE } from "../core/names.js";
import { find, setText, showPage, wantsPasswordChange } from "../ui/dom.js";

/** @import { EndReason } from "../core/types.js" */

/** @type {Record<string, string>} */
const REASONS = {
  quit: "you quit here.",
  logged_out: "you logged out here.",
  removed: "another device removed this one.",
  expired: "this device’s login expired.",
  session_ended: "the session was ended.",
};
const UNKNOWN_REASON =
  "the server does not know this browser’s session any more.";

/** The most characters that a suggestion takes from a nick, so that it is a valid nick. */
const MAX_STEM = 29;

/**
 * Shows the page.
 * @param {EndReason} told why the session is over, if the server says so
 * @param {() => Promise<void>} onStarted called once there is a session
 */
export function showStartPage(told, onStarted) {
  // The chat leaves these here when its session is over.
  const { reason = told, nick: formerNick = "" } = history.state ?? {};
  history.replaceState(null, "");
  showPage("#start-view");
  sessionStorage.clear();
  document.title = formerNick ? "Logged out · Rejoin" : "Rejoin";

  const field = find("#nick", HTMLInputElement);
  const error = find("#nick-error");
  const suggestion = find("#suggestion");
  const loggedOut = find("#logged-out");
  loggedOut.hidden = !reason && !formerNick;
  setText(
    loggedOut,
    `You were logged out because ${REASONS[reason] ?? UNKNOWN_REASON}`,
  );
  field.addEventListener("input", onInput);
  find("form").addEventListener("submit", (event) => void onSubmit(event));
  suggestion.addEventListener("click", () => {
    putNick(suggestion.dataset.nick ?? "");
  });
  putNick(formerNick);

  function wantedNick() {
    return field.value.trim();
  }

  /** @param {string} nick */
  function putNick(nick) {
    field.value = nick;
    onInput();
    field.focus();
  }

  function onInput() {
    const nick = wantedNick();
    complain(nick && !isNick(nick) ? NICK_RULE : "");
    const next = wantsPasswordChange() ? "&next=/?change-password" : "";
    const address = `/login?nick=${encodeURIComponent(nick)}${next}`;
    find("#log-in", HTMLAnchorElement).href = address;
  }

  /** @param {SubmitEvent} event */
  async function onSubmit(event) {
    event.preventDefault();
    const nick = wantedNick();
    if (!isNick(nick)) {
      complain(NICK_RULE);
      return;
    }
    const button = /** @type {HTMLButtonElement} */ (event.submitter);
    button.disabled = true;
    try {
      await startSession(nick);
    } catch (problem) {
      refused(nick, problem);
    }
    button.disabled = false;
  }

  /** @param {string} nick */
  async function startSession(nick) {
    try {
      await post("/session", { nick });
    } catch (problem) {
      const code = problem instanceof Problem ? problem.code : "";
      // Another tab may have created a session meanwhile. This browser has that session now.
      if (code !== "already_in_session") {
        throw problem;
      }
      await onStarted();
      return;
    }
    const next = nextAddress();
    if (next) {
      location.assign(next);
    } else {
      await onStarted();
    }
  }

  /**
   * @param {string} nick
   * @param {unknown} problem
   */
  function refused(nick, problem) {
    const code = problem instanceof Problem ? problem.code : "";
    if (code !== "nickname_in_use") {
      complain(messageOf(problem));
      return;
    }
    complain(`${nick} is taken. If it is you, log in below.`);
    const number = 10 + Math.floor(Math.random() * 90);
    const free = `${nick.slice(0, MAX_STEM)}_${number}`;
    setText(suggestion, `Use ${free} instead`);
    suggestion.dataset.nick = free;
    suggestion.hidden = false;
    field.select();
  }

  /** @param {string} text */
  function complain(text) {
    setText(error, text);
    field.ariaInvalid = String(text !== "");
    suggestion.hidden = true;
  }
}

/**
 * The address to continue at, if an app sent the user here. Null for another site and for this
 * page.
 */
function nextAddress() {
  const next = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(next, location.href);
  const isElsewhere = address.origin !== location.origin;
  return isElsewhere || address.pathname === "/" ? null : address;
}
