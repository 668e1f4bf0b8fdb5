// Replies to commands, as lines for people.

import { plain } from "./text.js";

const SILENT = ["312", "315", "318", "321", "323", "329", "333", "366", "368", "PONG", "MARKREAD", "NOTE"];
const AFTER_JOIN = ["331", "332", "353"];

const LINES = {
	301: ([nick, text]) => `${nick} is away: ${text}`,
	311: ([nick, user, host, , name]) => `${nick} is ${user}@${host} (${name})`,
	319: ([nick, channels]) => `${nick} is in ${channels}`,
	322: ([channel, count, topic]) => `${channel} (${count})${topic ? `: ${topic}` : ""}`,
	324: ([channel, ...modes]) => `${channel} has the modes ${modes.join(" ")}`,
	332: ([channel, topic]) => `The topic of ${channel}: ${topic}`,
	341: ([nick, channel]) => `You invited ${nick} to ${channel}`,
	352: ([channel, user, host, , nick, flags]) =>
		`${nick} (${user}@${host})${flags.startsWith("G") ? ", away" : ""}${channel === "*" ? "" : `, in ${channel}`}`,
	353: ([, channel, names]) => `In ${channel}: ${names}`,
	367: ([channel, mask, by]) => `${channel} bans ${mask}${by ? `, set by ${by}` : ""}`,
};

/** The lines to show for a command's replies. */
export function replyLines(replies, verb) {
	return replies
		.filter(({ command }) => !SILENT.includes(command) && !(verb === "JOIN" && AFTER_JOIN.includes(command)))
		.map(({ command, params }) => {
			if (!/^\d/.test(command)) return params.at(-1);
			const rest = params.slice(1);
			return plain(LINES[command]?.(rest) ?? rest.join(" – "));
		});
}
