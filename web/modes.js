// MODE's compact notation taken apart.

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

export function parseModes([letters = "", ...rest]) {
	const changes = [];
	let sign = "+";
	for (const letter of letters) {
		if (letter === "+" || letter === "-") sign = letter;
		else changes.push({ sign, letter, argument: WITH_ARGUMENT[sign].includes(letter) ? rest.shift() ?? "" : "" });
	}
	return changes;
}

export function describeMode({ sign, letter, argument }) {
	return (WORDS[sign + letter] ?? `set mode ${sign}${letter}`).replace("#", () => argument);
}
