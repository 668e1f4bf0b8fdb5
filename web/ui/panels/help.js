// @ts-check
// The panel with all commands and keys.

import { html } from "../../vendor/lit-html/lit-html.js";
import { openDialog } from "../dialog.js";

/** @import { SlashCommand } from "../../core/slash-commands.js" */

/** @param {SlashCommand[]} commands */
export function openHelp(commands) {
  openDialog("help", "Commands and keys", () => [
    html`<table>
      ${commands.map(commandRow)}
    </table>`,
    html`<p>
      Shift + Enter begins a new line. ↑ brings back what you sent. @, # and Tab
      complete names. Alt + ↑ and ↓ change the channel. To send a text that
      begins with a slash, type two: //like this.
    </p>`,
  ]);
}

/** @param {SlashCommand} command */
const commandRow = ({ syntax, help }) => html`
  <tr>
    <th scope="row">${syntax}</th>
    <td>${help}</td>
  </tr>
`;
