// MODE's compact notation ("+ov-b alice bob mask") taken apart into single changes.

const WITH_ARGUMENT = { "+": "ovbkl", "-": "ovbk" };

const WORDS = {
	"+o": "made # an operator", "-o": "took operator status from #",
	"+v": "gave voice to #", "-v": "took voice from #",
	"+b": "banned #", "-b": "lifted the ban on #",
	"+k": "set a channel key", "-k": "removed the channel key",
	"+l": "limited the channel to # members", "-l": "removed the member limit",
	"+m": "let only operators and voiced members speak", "-m": "let everyone speak",
	"+i": "made the channel invite-only", "-i": "opened the channel to everyone",
};

/** `[{ sign, letter, argument }]` from the parameters after the channel. */
export function parseModes([letters = "", ...rest]) {
	const changes = [];
	let sign = "+";
	for (const letter of letters) {
		if (letter === "+" || letter === "-") sign = letter;
		else changes.push({ sign, letter, argument: WITH_ARGUMENT[sign].includes(letter) ? rest.shift() ?? "" : "" });
	}
	return changes;
}

/** One change as the rest of a sentence that begins with a nick. */
export function describeMode({ sign, letter, argument }) {
	return (WORDS[sign + letter] ?? `set mode ${sign}${letter}`).replace("#", () => argument);
}
