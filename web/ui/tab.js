// @ts-check
// The tab's title and icon, and the page's address.

import { isNick } from "../core/names.js";
import { find } from "./dom.js";

/** @import { Chat } from "../core/chat.js" */
/** @import { Conversation } from "../core/conversation.js" */

const UNREAD_ICON =
  'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="%230b6e5f"/></svg>';

export class Tab {
  #chat;
  #icon = find("link[rel=icon]", HTMLLinkElement);
  #readIcon = this.#icon.href;
  #address = "";

  /** @param {Chat} chat */
  constructor(chat) {
    this.#chat = chat;
  }

  draw() {
    const { session, current } = this.#chat;
    const count = [session.server, ...session.all].reduce(
      (sum, { unreadCount }) => sum + unreadCount,
      0,
    );
    const prefix = count > 0 ? `(${count}) ` : "";
    document.title = `${prefix}${current.name} · Rejoin`;
    const icon = count > 0 ? UNREAD_ICON : this.#readIcon;
    if (this.#icon.href !== icon) {
      this.#icon.href = icon;
    }
    const address = location.pathname + partOf(current);
    if (address !== this.#address) {
      this.#address = address;
      history.replaceState(null, "", address);
    }
  }
}

/**
 * The part of the address that names a conversation.
 * @param {Conversation} conversation
 */
function partOf({ kind, name }) {
  if (kind === "channel") {
    return name;
  }
  return isNick(name) ? `?with=${encodeURIComponent(name)}` : "";
}
