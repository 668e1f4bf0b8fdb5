// @ts-check
// The slash commands that the user types.

import { asProblem } from "./api.js";
import { takesMessages } from "./chat.js";
import { isChannel, isNick } from "./names.js";

/** @import { Chat } from "./chat.js" */
/** @import { Outbox } from "./outbox.js" */

/**
 * @typedef {object} SlashCommand
 * @property {string} name with its slash
 * @property {string} syntax
 * @property {string} help
 * @property {(rest: string) => unknown} run takes what follows the name
 */

/**
 * What opens the page's panels.
 * @typedef {object} PanelOpener
 * @property {(name: string) => Promise<void>} open
 * @property {(typed: string, isChange?: boolean) => Promise<void>} openPassword
 */

/** Thrown when a command's parameters are not as its syntax says. */
const USAGE = Symbol("usage");

/**
 * Whether a line contains a password, or is about to.
 * @param {string} line
 */
export const isSecret = (line) => /^\s*\/pass/im.test(line);

/**
 * The command in a line; null if it has none.
 * @param {string} line
 */
export function parseCommand(line) {
  const match = /^\s*\/(?!\/)(\S*)(?:\s([^]*))?$/.exec(line);
  return match && { name: match[1].toLowerCase(), rest: match[2] ?? "" };
}

export class SlashCommands {
  #chat;
  #outbox;
  #panels;
  /** All commands, in the order of the list. */
  list;

  /**
   * @param {Chat} chat
   * @param {Outbox} outbox
   * @param {PanelOpener} panels
   */
  constructor(chat, outbox, panels) {
    this.#chat = chat;
    this.#outbox = outbox;
    this.#panels = panels;
    this.list = [
      ...this.#talking(),
      ...this.#moderating(),
      ...this.#aboutTheSession(),
    ];
  }

  /** @param {string} line */
  async run(line) {
    const { name, rest } = parseCommand(line) ?? { name: "", rest: "" };
    const command = this.list.find((one) => one.name === `/${name}`);
    if (!command) {
      throw new Error(
        `There is no command /${name}. Type /help to see all commands. To send a text that begins with a slash, type two: //.`,
      );
    }
    try {
      // Blanks are part of a password.
      await command.run(name === "pass" ? rest : rest.trim());
    } catch (error) {
      if (error === USAGE) {
        throw new Error(`Type it like this: ${command.syntax}`);
      }
      throw error;
    }
  }

  /** The conversation on the screen. Fails if messages cannot be sent to it. */
  recipient() {
    const { current } = this.#chat;
    if (!takesMessages(current)) {
      throw new Error(
        "Nobody would read this: open a channel or a conversation first.",
      );
    }
    return current;
  }

  #talking() {
    return [
      define("join", "#channel [key]", "Join a channel, or create it", (rest) =>
        this.#join(rest),
      ),
      define("part", "[#channel] [reason]", "Leave a channel", (rest) =>
        this.#part(rest),
      ),
      define("me", "text", "Describe what you do", (rest) => {
        words(rest, 1);
        this.#outbox.post(this.recipient(), `\x01ACTION ${rest}\x01`);
      }),
      define("msg", "nick [text]", "Send a direct message", (rest) =>
        this.#message(rest),
      ),
      define("topic", "[text]", "Show or set the channel’s topic", (rest) =>
        this.#runHere("TOPIC", rest ? [rest] : []),
      ),
      define("nick", "nick", "Change your nick", (rest) =>
        this.#chat.run("NICK", words(rest, 1)),
      ),
      define("away", "[text]", "Mark yourself as away, or as back", (rest) =>
        this.#chat.run("AWAY", rest ? [rest] : []),
      ),
      define("whois", "nick", "Show information about a user", (rest) =>
        this.#chat.run("WHOIS", words(rest, 1)),
      ),
    ];
  }

  #moderating() {
    return [
      define(
        "kick",
        "nick [reason]",
        "Remove someone from the channel",
        (rest) => this.#runHere("KICK", firstWord(rest)),
      ),
      define(
        "invite",
        "nick [#channel]",
        "Invite someone to a channel",
        (rest) => {
          const [nick, channel = this.#here()] = words(rest, 1);
          return this.#chat.run("INVITE", [nick, channel]);
        },
      ),
      define(
        "mode",
        "[#channel] [modes]",
        "Show or change a channel’s modes",
        (rest) => {
          const channel = isChannel(rest) ? [] : [this.#here()];
          return this.#chat.run("MODE", [...channel, ...words(rest)]);
        },
      ),
      define("op", "nick …", "Make someone a channel operator", (rest) =>
        this.#changeEach("+o", rest),
      ),
      define("deop", "nick …", "Take operator status from someone", (rest) =>
        this.#changeEach("-o", rest),
      ),
      define("voice", "nick …", "Give someone voice", (rest) =>
        this.#changeEach("+v", rest),
      ),
      define("devoice", "nick …", "Take voice from someone", (rest) =>
        this.#changeEach("-v", rest),
      ),
      define(
        "ban",
        "[mask]",
        "Ban a mask (nick!*@*), or list the bans",
        (rest) => this.#runHere("MODE", ["+b", ...words(rest)]),
      ),
      define("unban", "mask", "Lift a ban", (rest) =>
        this.#changeEach("-b", rest),
      ),
      define(
        "silence",
        "[+nick | -nick]",
        "Block someone’s direct messages, lift a block, or list the blocks",
        (rest) => this.#chat.run("SILENCE", words(rest)),
      ),
    ];
  }

  #aboutTheSession() {
    return [
      define("pass", "new password", "Set the session’s password", (rest) =>
        this.#setPassword(rest),
      ),
      define("devices", "", "See your devices, and log out", () =>
        this.#panels.open("devices"),
      ),
      define("apps", "", "See your API keys and apps", () =>
        this.#panels.open("apps"),
      ),
      define("quit", "[reason]", "Log this device out", async (rest) => {
        await this.#chat.run("QUIT", rest ? [rest] : []);
        this.#chat.loggedOut("quit");
      }),
      define("help", "", "Show all commands and keys", () =>
        this.#panels.open("help"),
      ),
    ];
  }

  /** @param {string} rest */
  #join(rest) {
    const [channel, key] = words(rest, 1);
    const name = isChannel(channel) ? channel : `#${channel}`;
    return this.#chat.join(name, key);
  }

  /** @param {string} rest */
  #part(rest) {
    if (isChannel(rest)) {
      return this.#chat.run("PART", firstWord(rest));
    }
    return this.#runHere("PART", rest ? [rest] : []);
  }

  /** @param {string} rest */
  async #message(rest) {
    const [target, text = ""] = firstWord(rest);
    if (isChannel(target)) {
      await this.#chat.run("PRIVMSG", [target, text]);
      return;
    }
    if (!isNick(target)) {
      throw new Error(`${target} is not a nick.`);
    }
    this.#chat.open(this.#chat.session.direct(target));
    if (text) {
      this.#outbox.post(this.#chat.current, text);
    }
  }

  /** @param {string} rest */
  async #setPassword(rest) {
    // A blank at either end may be a mistake, so the panel shows the password.
    if (!rest || rest !== rest.trim()) {
      await this.#panels.openPassword(rest.trim() ? rest : "");
      return;
    }
    try {
      await this.#chat.run("PASS", [rest]);
      await this.#chat.refreshSession();
    } catch (error) {
      if (asProblem(error).code !== "password_required") {
        throw error;
      }
      await this.#panels.openPassword(rest, true);
    }
  }

  /** The channel on the screen. */
  #here() {
    const { kind, name } = this.#chat.current;
    if (kind !== "channel") {
      throw new Error("This command works only in a channel: open one first.");
    }
    return name;
  }

  /**
   * Runs a command on the channel on the screen.
   * @param {string} verb
   * @param {string[]} params
   */
  #runHere(verb, params) {
    return this.#chat.run(verb, [this.#here(), ...params]);
  }

  /**
   * Makes the same change of mode for several nicks or masks.
   * @param {string} change its sign and letter
   * @param {string} rest
   */
  #changeEach([sign, letter], rest) {
    const names = words(rest, 1);
    const modes = sign + letter.repeat(names.length);
    return this.#runHere("MODE", [modes, ...names]);
  }
}

/**
 * @param {string} name
 * @param {string} params
 * @param {string} help
 * @param {(rest: string) => unknown} run
 * @returns {SlashCommand}
 */
function define(name, params, help, run) {
  return { name: `/${name}`, syntax: `/${name} ${params}`.trim(), help, run };
}

/**
 * The words of a text. Throws `USAGE` if there are fewer than `least`.
 * @param {string} rest
 */
function words(rest, least = 0) {
  const all = rest.split(/\s+/).filter(Boolean);
  if (all.length < least) {
    throw USAGE;
  }
  return all;
}

/**
 * The first word of a text, and the text after it, if there is any.
 * @param {string} rest
 */
function firstWord(rest) {
  const [first] = words(rest, 1);
  const more = rest.trim().slice(first.length).trimStart();
  return more ? [first, more] : [first];
}
