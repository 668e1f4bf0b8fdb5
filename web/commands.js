// The slash commands.

import * as chat from "./chat.js"
import { openPanel } from "./dom.js"
import { model } from "./model.js"
import { post } from "./unsent.js"
import { isChannel, isNick } from "./text.js"

const { run: send } = chat

// By name: what follows it, what it does, and how.
const COMMANDS = {
	join: ["#channel [key]", "Join a channel, or start one", (rest) => {
		const [channel, key] = words(rest, 1)
		return chat.join(isChannel(channel) ? channel : "#" + channel, key)
	}],
	part: ["[#channel] [reason]", "Leave a channel", (rest) =>
		send("PART", isChannel(rest) ? head(rest, 1) : [here(), rest].filter(Boolean))],
	me: ["text", "Say what you do", (rest) => words(rest, 1) && post(talk(), `\x01ACTION ${rest}\x01`)],
	msg: ["nick [text]", "Write to someone alone", (rest) => {
		const [target, text] = head(rest, 1)
		if (isChannel(target)) return send("PRIVMSG", [target, text ?? ""])
		if (!isNick(target)) throw new Error(`${target} is no nick.`)
		chat.open(model.direct(target))
		if (text) post(chat.view, text)
	}],
	topic: ["[text]", "Show or set the channel’s topic", inChannel("TOPIC", (rest) => (rest ? [rest] : []))],
	nick: ["nick", "Change your nick", (rest) => send("NICK", words(rest, 1))],
	away: ["[text]", "Say that you are away, or back", (rest) => send("AWAY", rest ? [rest] : [])],
	whois: ["nick", "Say who someone is", (rest) => send("WHOIS", words(rest, 1))],
	kick: ["nick [reason]", "Remove someone", inChannel("KICK", (rest) => head(rest, 1))],
	invite: ["nick [#channel]", "Invite someone", (rest) => {
		const [nick, channel = here()] = words(rest, 1)
		return send("INVITE", [nick, channel])
	}],
	mode: ["[#channel] [modes]", "Show or change a channel’s modes", (rest) =>
		send("MODE", isChannel(rest) ? words(rest) : [here(), ...words(rest)])],
	op: ["nick …", "Make someone an operator", forEach("+o")],
	deop: ["nick …", "Take operator status", forEach("-o")],
	voice: ["nick …", "Give someone voice", forEach("+v")],
	devoice: ["nick …", "Take voice from someone", forEach("-v")],
	ban: ["[mask]", "Ban a mask (nick!*@*), or list the bans", inChannel("MODE", (rest) => ["+b", ...words(rest)])],
	unban: ["mask", "Lift a ban", forEach("-b")],
	silence: ["[+nick | -nick]", "Block someone’s direct messages, lift a block, or list the blocks", (rest) =>
		send("SILENCE", words(rest))],
	pass: ["new password", "Set the session’s password", setPassword],
	devices: ["", "See your devices, sign out", () => openPanel("devices")],
	apps: ["", "See your API keys and apps", () => openPanel("apps")],
	quit: ["[reason]", "Sign this device out", async (rest) => {
		await send("QUIT", rest ? [rest] : [])
		chat.signedOut("quit")
	}],
	help: ["", "Show all commands and keys", () => openPanel("help")],
}

export const commands = Object.entries(COMMANDS)
	.map(([name, [syntax, help, run]]) => ({ name: `/${name}`, syntax: `/${name} ${syntax}`.trim(), help, run }))

// Such a line has a password in it, or will have.
export const isSecret = (line) => /^\s*\/pass/im.test(line)

export function parseCommand(line) {
	const match = /^\s*\/(?!\/)(\S*)(?:\s([^]*))?$/.exec(line)
	return match && { name: match[1].toLowerCase(), rest: match[2] ?? "" }
}

export async function runCommand(line) {
	const { name, rest } = parseCommand(line)
	const command = commands.find((one) => one.name === `/${name}`)
	if (!command) throw new Error(`There is no command /${name}. Type /help to see all, or // for a text that begins with a slash.`)
	try {
		await command.run(name === "pass" ? rest : rest.trim())
	} catch (error) {
		throw error === USAGE ? new Error(`Type it like this: ${command.syntax}`) : error
	}
}

const USAGE = Symbol("usage")

function words(rest, least = 0) {
	const all = rest.split(/\s+/).filter(Boolean)
	if (all.length < least) throw USAGE
	return all
}

function head(rest, least) {
	words(rest, least)
	const [, first, more] = /^(\S+)\s*([^]*)$/.exec(rest)
	return more ? [first, more] : [first]
}

function here() {
	if (chat.view.kind !== "channel") throw new Error("This is for channels: open one first.")
	return chat.view.name
}

export function talk() {
	if (!chat.canTalk(chat.view)) throw new Error("Nobody would read this: open a channel or a conversation first.")
	return chat.view
}

function inChannel(verb, params) {
	return (rest) => send(verb, [here(), ...params(rest)])
}

function forEach([sign, letter]) {
	return inChannel("MODE", (rest) => {
		const nicks = words(rest, 1)
		return [sign + letter.repeat(nicks.length), ...nicks]
	})
}

async function setPassword(rest) {
	// A blank at either end may be a slip, so it is shown.
	if (!rest || rest !== rest.trim()) return openPanel("password", rest.trim() && rest)
	try {
		await send("PASS", [rest])
		chat.refreshSession()
	} catch (error) {
		if (error.code !== "password_required") throw error
		openPanel("password", rest, true)
	}
}
