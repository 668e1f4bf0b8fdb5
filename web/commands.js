// The slash commands.

import { openDevices } from "./devices.js";
import { openHelp } from "./help.js";
import { openPassword } from "./password.js";
import { isChannel, isNick } from "./text.js";

const COMMANDS = {
	join: ["#channel [key]", "Join a channel, or start one", (rest, { chat }) => {
		const [channel, key] = words(rest, 1);
		return chat.join(isChannel(channel) ? channel : "#" + channel, key);
	}],
	part: ["[#channel] [reason]", "Leave a channel", (rest, { chat, send }) =>
		send("PART", isChannel(rest) ? head(rest, 1) : [here(chat), rest].filter(Boolean))],
	msg: ["nick text", "Send a direct message", async (rest, { chat, send }) => {
		const [target, text] = head(rest, 2);
		await send("PRIVMSG", [target, text]);
		if (isNick(target)) chat.open(chat.model.direct(target));
	}],
	query: ["nick", "Open a conversation", (rest, { chat }) => {
		const [nick] = words(rest, 1);
		if (!isNick(nick)) throw new Error(`${nick} is no nick.`);
		chat.open(chat.model.direct(nick));
	}],
	notice: ["target text", "Send a notice", (rest, { send }) => send("NOTICE", head(rest, 2))],
	topic: ["[text]", "Show or set the channel’s topic", inChannel("TOPIC", (rest) => (rest ? [rest] : []))],
	nick: ["nick", "Change your nick", (rest, { send }) => send("NICK", words(rest, 1))],
	away: ["[text]", "Say that you are away", (rest, { send }) => send("AWAY", [rest || "Away"])],
	back: ["", "Say that you are back", (rest, { send }) => send("AWAY", [])],
	names: ["[#channel]", "List who is in a channel", (rest, { chat, send }) => send("NAMES", [rest || here(chat)])],
	list: ["", "List the channels of this server", (rest, { send }) => send("LIST", words(rest))],
	who: ["[#channel]", "List people in detail", (rest, { chat, send }) => send("WHO", [rest || here(chat)])],
	whois: ["nick", "Say who someone is", (rest, { send }) => send("WHOIS", words(rest, 1))],
	kick: ["nick [reason]", "Remove someone", inChannel("KICK", (rest) => head(rest, 1))],
	invite: ["nick [#channel]", "Invite someone", (rest, { chat, send }) => {
		const [nick, channel] = words(rest, 1);
		return send("INVITE", [nick, channel ?? here(chat)]);
	}],
	mode: ["[#channel] [modes]", "Show or change a channel’s modes", (rest, { chat, send }) =>
		send("MODE", isChannel(rest) ? words(rest) : [here(chat), ...words(rest)])],
	op: ["nick …", "Make someone an operator", forEach("+o")],
	deop: ["nick …", "Take operator status", forEach("-o")],
	voice: ["nick …", "Give someone voice", forEach("+v")],
	devoice: ["nick …", "Take voice from someone", forEach("-v")],
	ban: ["[mask]", "Ban a mask (nick!*@*), or list the bans", inChannel("MODE", (rest) => ["+b", ...words(rest)])],
	unban: ["mask", "Lift a ban", forEach("-b")],
	pass: ["new password", "Set the session’s password", setPassword],
	devices: ["", "See your devices, sign out", (rest, { chat }) => openDevices(chat)],
	ping: ["", "Measure the connection", async (rest, { chat, send }) => {
		const start = performance.now();
		await send("PING", ["rejoin"]);
		chat.line(`The server answered in ${Math.round(performance.now() - start)} ms.`, { kind: "reply" });
	}],
	quit: ["[reason]", "Sign this device out", async (rest, { chat, send }) => {
		await send("QUIT", rest ? [rest] : []);
		chat.signedOut("quit");
	}],
	help: ["", "Show all commands and keys", () => void openHelp(commands)],
};

export const commands = Object.entries(COMMANDS)
	.map(([name, [syntax, help, run]]) => ({ name, syntax: `/${name} ${syntax}`.trim(), help, run }));

/** Such a line has a password in it, or will have, and is kept nowhere. */
export const isSecret = (line) => /^\s*\/pass/im.test(line);

export function parseCommand(line) {
	const match = /^\s*\/(?!\/)(\S*)(?:\s([^]*))?$/.exec(line);
	return match && { name: match[1].toLowerCase(), rest: match[2] ?? "" };
}

export async function runCommand(line, context) {
	const { name, rest } = parseCommand(line);
	const command = commands.find((one) => one.name === name);
	if (!command) throw new Error(`There is no command /${name}. Type /help to see all, or // for a text that begins with a slash.`);
	try {
		await command.run(name === "pass" ? rest : rest.trim(), context);
	} catch (error) {
		throw error === USAGE ? new Error(`Type it like this: ${command.syntax}`) : error;
	}
}

const USAGE = Symbol("usage");

function words(rest, least = 0) {
	const all = rest.split(/\s+/).filter(Boolean);
	if (all.length < least) throw USAGE;
	return all;
}

function head(rest, least) {
	words(rest, least);
	const [, first, more] = /^(\S+)\s*([^]*)$/.exec(rest);
	return more ? [first, more] : [first];
}

function here({ view }) {
	if (view.kind !== "channel") throw new Error("This is for channels: open one first.");
	return view.name;
}

function inChannel(verb, params) {
	return (rest, { chat, send }) => send(verb, [here(chat), ...params(rest)]);
}

function forEach([sign, letter]) {
	return inChannel("MODE", (rest) => {
		const nicks = words(rest, 1);
		return [sign + letter.repeat(nicks.length), ...nicks];
	});
}

async function setPassword(rest, { chat, send }) {
	// A blank at either end may be a slip: the dialog asks once more.
	if (!rest || rest !== rest.trim()) return void openPassword(chat, rest.trim() && rest);
	try {
		await send("PASS", [rest]);
		chat.refreshSession();
	} catch (error) {
		if (error.code !== "password_required") throw error;
		openPassword(chat, rest, true);
	}
}
