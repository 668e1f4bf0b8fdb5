// @ts-check
// The chat: creates its parts and connects them.

import { onLoggedOut } from "../core/api.js";
import { Chat } from "../core/chat.js";
import { Delivery } from "../core/delivery.js";
import { Incoming } from "../core/incoming.js";
import { Outbox } from "../core/outbox.js";
import { ReadMarkers } from "../core/read-markers.js";
import { SlashCommands } from "../core/slash-commands.js";
import { createAnnouncer } from "../ui/announcer.js";
import { ChannelBrowser } from "../ui/channel-browser.js";
import { Completion } from "../ui/completion.js";
import { Composer } from "../ui/composer.js";
import { showConnection } from "../ui/connection-status.js";
import { find, isWatched, setText, wantsPasswordChange } from "../ui/dom.js";
import { Header } from "../ui/header.js";
import { focusField, listenForKeys } from "../ui/keyboard.js";
import { MemberList } from "../ui/member-list.js";
import { MessageList } from "../ui/message-list.js";
import { Notifications } from "../ui/notifications.js";
import { Panels } from "../ui/panels.js";
import { Sidebar } from "../ui/sidebar.js";
import { Tab } from "../ui/tab.js";

/** @import { ConnectionState } from "../core/delivery.js" */
/** @import { Snapshot } from "../core/types.js" */

/**
 * Starts the chat in the page's template, which is shown already.
 * @param {Snapshot} snapshot
 */
export function startChat(snapshot) {
  find(".chat").hidden = false;
  const errorLine = find("#error");
  const chat = new Chat(snapshot, createAnnouncer(), (text) =>
    setText(errorLine, text),
  );
  onLoggedOut(({ reason }) => chat.loggedOut(reason));

  const outbox = new Outbox(chat);
  const panels = new Panels(chat);
  const commands = new SlashCommands(chat, outbox, panels);
  const messages = new MessageList(chat, outbox, new ReadMarkers(chat));
  const notifications = new Notifications(chat);
  const delivery = createDelivery();
  const incoming = new Incoming(
    chat,
    outbox,
    {
      isWatched,
      isAttentive: () => messages.isAttentive(),
      notify: (event, conversation) =>
        void notifications.notify(event, conversation),
      devicesChanged: () => panels.devicesChanged(),
    },
    (id) => delivery.acknowledge(id),
  );
  const composer = createComposer();

  panels.listen(commands.list);
  listenForKeys(chat);
  addEventListener("hashchange", () => {
    chat.open(chat.addressed() ?? chat.current);
  });
  outbox.start();
  // The address changes when a conversation is opened.
  const isPasswordWanted = wantsPasswordChange();
  chat.start([
    // The columns come first, because the width of the messages depends on them.
    new Sidebar(chat),
    new Header(chat, () => focusFieldUnlessTouch()),
    new MemberList(chat),
    { opened: focusFieldUnlessTouch },
    new ChannelBrowser(chat),
    messages,
    composer,
    notifications,
    new Tab(chat),
    outbox,
    incoming,
  ]);
  if (isPasswordWanted) {
    panels.openPassword().catch(chat.explain);
  }
  delivery.start();

  function createDelivery() {
    return new Delivery(snapshot.acknowledged, {
      check: () => chat.check(),
      onArrival: (id) => chat.settle(id),
      onMessage: (event) => incoming.receive(event),
      onState: showState,
      onLoggedOut: (reason) => chat.loggedOut(reason),
    });
  }

  function createComposer() {
    const field = find("#composer", HTMLTextAreaElement);
    const completion = new Completion(field, chat, commands);
    return new Composer(field, chat, outbox, commands, completion, () =>
      messages.toEnd(),
    );
  }

  /** @param {ConnectionState} state */
  function showState(state) {
    showConnection(state);
    chat.setConnected(state === "connected");
    if (state === "connected") {
      outbox.resume();
      incoming.connected();
    }
  }

  /** On a touch screen, the focus would open the keyboard over half of the page. */
  function focusFieldUnlessTouch() {
    const isTouch = !matchMedia("(pointer: fine)").matches;
    if (!isTouch && !document.querySelector("dialog")) {
      focusField(chat);
    }
  }
}
