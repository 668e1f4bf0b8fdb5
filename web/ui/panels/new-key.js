// @ts-check
// The form that creates an API key.

import { post } from "../../core/api.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { submit, valueOf } from "../dialog.js";
import { find } from "../dom.js";
import { SCOPES } from "./scopes.js";

/** @typedef {{ client_id: string, client_secret: string, name: string }} KeySecret */

const USUAL_SCOPES = ["chat:read", "chat:write"];

/**
 * @param {string[]} channels the channels that the session is on
 * @param {(secret: KeySecret) => void} onCreated
 */
export function newKeyForm(channels, onCreated) {
  const onsubmit = async (/** @type {SubmitEvent} */ event) => {
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const error = find(".error", HTMLElement, form);
    const isCreated = await submit(event, error, async () => {
      onCreated(await createKey(form));
    });
    if (isCreated) {
      form.reset();
    }
  };
  return html`
    <form @submit=${onsubmit}>
      <label>
        Name, shown with its messages
        <input name="name" maxlength="64" required autocomplete="off" />
      </label>
      ${scopeChoice()} ${channels.length > 0 ? placeChoice(channels) : nothing}
      <p class="error" role="alert"></p>
      <button>Create key</button>
    </form>
  `;
}

/**
 * @param {HTMLFormElement} form
 * @returns {Promise<KeySecret>}
 */
async function createKey(form) {
  const data = new FormData(form);
  const channels = data.getAll("channel");
  const isForChosen = data.get("where") === "chosen";
  if (isForChosen && channels.length === 0) {
    throw new Error("Choose at least one channel, or all channels.");
  }
  if (!isForChosen && channels.length > 0) {
    throw new Error(
      "You ticked channels: choose “Only these channels”, or untick them to allow all.",
    );
  }
  return post("/keys", {
    name: valueOf(form, "[name=name]"),
    scope: data.getAll("scope").join(" "),
    res: channels.length > 0 ? channels : undefined,
  });
}

const scopeChoice = () => html`
  <fieldset class="choose">
    <legend>This key may</legend>
    ${Object.entries(SCOPES)
      .filter(([scope]) => scope !== "session:manage")
      .map(([scope, label]) => scopeOption(scope, label))}
  </fieldset>
`;

/**
 * @param {string} scope
 * @param {string} label
 */
const scopeOption = (scope, label) => html`
  <label>
    <input
      type="checkbox"
      name="scope"
      value=${scope}
      ?checked=${USUAL_SCOPES.includes(scope)}
    />
    ${label}
  </label>
`;

/** @param {string[]} channels */
const placeChoice = (channels) => html`
  <fieldset class="choose">
    <legend>Where?</legend>
    <label>
      <input type="radio" name="where" value="everywhere" checked />
      All your channels and direct messages
    </label>
    <label>
      <input type="radio" name="where" value="chosen" />
      Only these channels:
    </label>
    ${channels.map(
      (channel) => html`
        <label class="within">
          <input type="checkbox" name="channel" value=${channel} /> ${channel}
        </label>
      `,
    )}
  </fieldset>
`;
