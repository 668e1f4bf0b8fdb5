// @ts-check
// The panel with the session's API keys, and the apps that it let in.

import { get, messageOf, post, remove } from "../../core/api.js";
import { fromNow } from "../../core/time.js";
import { html, nothing } from "../../vendor/lit-html/lit-html.js";
import { openDialog, valueOf } from "../dialog.js";
import { confirmButton, currentPassword, list, listItem } from "./fields.js";
import { newKeyForm } from "./new-key.js";
import { describeScope } from "./scopes.js";
import { secretNotice } from "./secret-notice.js";

/** @import { Chat } from "../../core/chat.js" */
/** @import { KeySecret } from "./new-key.js" */

/**
 * @typedef {object} Key
 * @property {string} client_id
 * @property {string} name
 * @property {string} scope
 * @property {string[] | null} [res]
 * @property {string} created_at
 * @property {string | null} [expires_at]
 * @property {string | null} [ended_at]
 * @property {number} tried how often it was tried since it ended
 * @property {string} tried_at
 * @property {{ last_used_at: string | null, valid_until?: string | null }[]} secrets
 */

/**
 * @typedef {object} Grant
 * @property {number} id
 * @property {string} app
 * @property {string} client_id
 * @property {string} scope
 * @property {string[] | null} [res]
 * @property {boolean} [key] whether it is a key's
 * @property {boolean} [pending] whether the app has not come yet
 * @property {string} created_at
 * @property {string} expires_at
 */

const DAY = 86_400;

/** @param {Chat} chat */
export function openApps(chat) {
  const channels = chat.session.channels().map(({ name }) => name);
  /** @type {Key[]} */
  let keys = [];
  /** @type {Grant[]} */
  let grants = [];
  let isLoaded = false;
  /** @type {KeySecret | null} */
  let secret = null;
  const { dialog, draw } = openDialog("apps", "Apps and keys", content);
  void load();

  function content() {
    const apps = grants.filter(({ key, pending }) => !key && !pending);
    const pending = grants.filter((grant) => grant.pending);
    return html`
      <p class="soft">
        Programs that act in your name. Their access ends with this session.
      </p>
      <h3>API keys</h3>
      <div role="status">${secret ? secretNotice(secret) : nothing}</div>
      ${list(keys.map(keyItem), isLoaded ? "No keys yet." : "")}
      <details>
        <summary>New key</summary>
        ${newKeyForm(channels, showSecret)}
      </details>
      <h3>Apps you let in</h3>
      ${list(apps.map(grantItem), isLoaded ? "No apps." : "")}
      <section ?hidden=${pending.length === 0}>
        <h3>Approved, but not used yet</h3>
        ${list(pending.map(pendingItem))}
      </section>
    `;
  }

  async function load() {
    try {
      [keys, grants] = await Promise.all([get("/keys"), get("/grants")]);
      isLoaded = true;
      draw();
    } catch (error) {
      draw(messageOf(error));
    }
  }

  /** @param {KeySecret} created */
  function showSecret(created) {
    secret = created;
    draw();
    dialog.querySelector("input")?.focus();
    void load();
  }

  /** @param {Key} key */
  function keyItem(key) {
    const { client_id, name, scope, res, ended_at } = key;
    const buttons = [
      rotateButton(key),
      revokeButton(name, `/keys/${client_id}`),
    ];
    return listItem(
      name,
      [describeScope(scope, res), ended_at ? ending(key) : usage(key)],
      ended_at ? nothing : buttons,
    );
  }

  /** @param {Key} key */
  function rotateButton({ client_id, name, scope }) {
    const needsPassword =
      scope.includes("session:manage") && chat.session.hasPassword;
    return confirmButton(
      "Rotate",
      name,
      "It gets a new secret. The current one works for one more day.",
      async (form) => {
        const password = needsPassword
          ? valueOf(form, "#current-password")
          : undefined;
        const body = { overlap: DAY, password };
        showSecret(await post(`/keys/${client_id}/rotate`, body));
      },
      needsPassword ? currentPassword("Your password") : undefined,
    );
  }

  /** @param {Grant} grant */
  function grantItem({ id, app, scope, res, created_at }) {
    return listItem(
      app,
      [describeScope(scope, res), `Let in ${fromNow(created_at)}`],
      revokeButton(app, `/grants/${id}`),
    );
  }

  /** @param {Grant} grant */
  function pendingItem({ app, client_id, scope, res, expires_at }) {
    return listItem(
      app,
      [
        describeScope(scope, res),
        `Expires ${fromNow(expires_at)} if the app does not use it`,
      ],
      confirmButton(
        "Withdraw",
        app,
        "The app can no longer use what you approved.",
        async () => {
          await remove(`/approvals/${client_id}`);
          await load();
        },
      ),
    );
  }

  /**
   * @param {string} name
   * @param {string} path
   */
  function revokeButton(name, path) {
    return confirmButton(
      "Revoke",
      name,
      "Its access ends at once, and its secrets stop working.",
      async () => {
        await remove(path);
        secret = null;
        await load();
      },
    );
  }
}

/** @param {Key} key */
function ending({ ended_at, tried, tried_at }) {
  const ended = `Ended ${fromNow(ended_at ?? "")}`;
  return tried
    ? `${ended}, tried ${tried}× since, last ${fromNow(tried_at)}`
    : `${ended}, not tried since`;
}

/** @param {Key} key */
function usage({ created_at, expires_at, secrets }) {
  const lastUsed = secrets
    .map(({ last_used_at }) => last_used_at ?? "")
    .sort()
    .at(-1);
  const parts = [
    `Created ${fromNow(created_at)}`,
    lastUsed ? `last used ${fromNow(lastUsed)}` : "never used",
  ];
  if (expires_at) {
    parts.push(`expires ${fromNow(expires_at)}`);
  }
  const overlap = secrets.at(-2)?.valid_until ?? "";
  if (Date.parse(overlap) > Date.now()) {
    parts.push(`its old secret expires ${fromNow(overlap)}`);
  }
  return parts.join(", ");
}
