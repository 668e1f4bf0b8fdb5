// Dialogs: the browser's own <dialog>.

import { h } from "./dom.js";

export function showDialog(dialog) {
	document.body.append(dialog);
	dialog.showModal();
	return new Promise((resolve) => dialog.addEventListener("close", () => {
		dialog.remove();
		resolve(dialog.returnValue === "done");
	}));
}

export function ask({ title, text, field, confirm, action }) {
	const input = field === undefined ? null : h("input", { value: field, "aria-label": title });
	const error = h("p", { class: "error", role: "alert" });
	const dialog = h("dialog", { class: "ask", "aria-labelledby": "ask-title" },
		h("form", { onsubmit: (event) => submit(event, dialog, error, () => action?.(input?.value)) },
			h("h2", { id: "ask-title" }, title), h("p", { class: "soft" }, text), input, error,
			h("p", { class: "buttons last" },
				h("button", { type: "button", class: "cancel", onclick: () => dialog.close() }, "Cancel"),
				h("button", { class: "primary", autofocus: !input }, confirm))));
	return showDialog(dialog);
}

export async function submit(event, dialog, error, action) {
	event.preventDefault();
	event.submitter.disabled = true;
	error.textContent = "";
	try {
		await action();
		dialog.close("done");
	} catch (problem) {
		error.textContent = problem.message;
	}
	event.submitter.disabled = false;
}
