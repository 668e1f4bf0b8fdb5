// Events as sentences.

import { describeMode, parseModes } from "./modes.js";

export function describe({ source, command, params }) {
	switch (command) {
		case "JOIN": return `${source} joined`;
		case "PART": return `${source} left${reason(params[1])}`;
		case "QUIT": return `${source} quit${reason(params[0])}`;
		case "NICK": return `${source} is now ${params[0]}`;
		case "KICK": return `${source} removed ${params[1]}${kickReason(source, params[2])}`;
		case "TOPIC": return params[1] ? `${source} set the topic: ${params[1]}` : `${source} cleared the topic`;
		case "MODE": return parseModes(params.slice(1)).map((change) => `${source} ${describeMode(change)}`).join("; ");
		case "AWAY": return params[0] ? `${source} is away: ${params[0]}` : `${source} is back`;
		case "INVITE": return `${source} invites you to ${params[1]}`;
		default: return [source, command, ...params].join(" ");
	}
}

/** A kick without a reason carries its source's nick. */
export const kickReason = (source, text) => reason(text === source ? "" : text);

const reason = (text) => (text ? ` (${text})` : "");
