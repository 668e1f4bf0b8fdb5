// @ts-check
// The modes of channels and members.

/** @typedef {{ sign: "+" | "-", letter: string, argument: string }} ModeChange */

const WITH_ARGUMENT = { "+": "ovbkl", "-": "ovbk" };

/**
 * The changes in the parameters of a MODE after its target.
 * @param {string[]} params
 * @returns {ModeChange[]}
 */
export function parseModes([letters = "", ...rest]) {
  const changes = [];
  /** @type {"+" | "-"} */
  let sign = "+";
  for (const letter of letters) {
    if (letter === "+" || letter === "-") {
      sign = letter;
      continue;
    }
    const takesArgument = WITH_ARGUMENT[sign].includes(letter);
    const argument = takesArgument ? (rest.shift() ?? "") : "";
    changes.push({ sign, letter, argument });
  }
  return changes;
}

/** @type {Record<string, string>} By sign and letter; `#` stands for the argument. */
const DESCRIPTIONS = {
  "+o": "made # an operator",
  "-o": "took operator status from #",
  "+v": "gave voice to #",
  "-v": "took voice from #",
  "+b": "banned #",
  "-b": "lifted the ban on #",
  "+H": "lets members who join later read messages from now on",
  "-H": "no longer lets members who join later read new messages",
};

/** @param {ModeChange} change */
export function describeMode({ sign, letter, argument }) {
  const description =
    DESCRIPTIONS[sign + letter] ?? `set mode ${sign}${letter}`;
  return description.replace("#", () => argument);
}
