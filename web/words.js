// Events and replies as sentences.

import { plain } from "./text.js"

export function describe({ source, command, params }) {
	switch (command) {
		case "JOIN": return `${source} joined`
		case "PART": return `${source} left${reason(params[1])}`
		case "QUIT": return `${source} quit${reason(params[0])}`
		case "NICK": return `${source} is now ${params[0]}`
		case "KICK": return `${source} removed ${params[1]}${kickReason(source, params[2])}`
		case "TOPIC": return params[1] ? `${source} set the topic: ${params[1]}` : `${source} cleared the topic`
		case "MODE": return parseModes(params.slice(1)).map((change) => `${source} ${describeMode(change)}`).join("; ")
		case "SILENCE": return params[0].startsWith("-") ? `You no longer block ${params[0].slice(1)}` : `You block ${params[0].slice(1)}`
		case "AWAY": return params[0] ? `${source} is away: ${params[0]}` : `${source} is back`
		default: return [source, command, ...params].join(" ")
	}
}

// A kick without a reason carries its source's nick.
export const kickReason = (source, text) => reason(text === source ? "" : text)

const reason = (text) => (text ? ` (${text})` : "")

const COMINGS = { JOIN: "joined", PART: "left", QUIT: "left", NICK: "changed nick" }
const NAMED = 3

export const isComing = ({ command }) => command in COMINGS

export function summary(items) {
	const nicks = {}
	for (const { command, source } of items) (nicks[COMINGS[command]] ??= new Set()).add(source)
	return Object.entries(nicks).map(([did, set]) => {
		const more = set.size - NAMED
		return `${[...set].slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""} ${did}`
	}).join("; ")
}

const WITH_ARGUMENT = { "+": "ovbkl", "-": "ovbk" }

const MODES = {
	"+o": "made # an operator", "-o": "took operator status from #",
	"+v": "gave voice to #", "-v": "took voice from #",
	"+b": "banned #", "-b": "lifted the ban on #",
	"+H": "lets people who join later read what is said from now on", "-H": "ended that for what is said from now on",
}

export function parseModes([letters = "", ...rest]) {
	const changes = []
	let sign = "+"
	for (const letter of letters) {
		if (letter === "+" || letter === "-") sign = letter
		else changes.push({ sign, letter, argument: WITH_ARGUMENT[sign].includes(letter) ? rest.shift() ?? "" : "" })
	}
	return changes
}

const describeMode = ({ sign, letter, argument }) =>
	(MODES[sign + letter] ?? `set mode ${sign}${letter}`).replace("#", () => argument)

const SILENT = ["272", "311", "312", "315", "318", "329", "333", "366", "368", "PONG", "MARKREAD", "NOTE"]
const AFTER_JOIN = ["331", "332", "353"]

const REPLIES = {
	271: ([, mask]) => `You block ${mask}`,
	301: ([nick, text]) => `${nick} is away: ${text}`,
	319: ([nick, channels]) => `${nick} is in ${channels}`,
	332: ([channel, topic]) => `The topic of ${channel}: ${topic}`,
	341: ([nick, channel]) => `You invited ${nick} to ${channel}`,
	367: ([channel, mask, by]) => `${channel} bans ${mask}${by ? `, set by ${by}` : ""}`,
}

export function replyLines(replies, verb) {
	return replies
		.filter(({ command }) => !SILENT.includes(command) && !(verb === "JOIN" && AFTER_JOIN.includes(command)))
		.map(({ command, params }) => {
			if (!/^\d/.test(command)) return params.at(-1)
			const rest = params.slice(1)
			return plain(REPLIES[command]?.(rest) ?? rest.join(" – "))
		})
}
