// Helpers for building DOM and dialogs. Text goes in as text, never as HTML.

import { unreachable } from "./api.js"

export const $ = (selector, root = document) => root.querySelector(selector)

// An element, as `tag.class`; attributes, if any, come first, listeners as "on…".
export function h(name, ...children) {
	const [tag, ...classes] = name.split(".")
	const element = document.createElement(tag)
	if (classes.length) element.className = classes.join(" ")
	const attributes = children[0]?.constructor === Object ? children.shift() : {}
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
		else if (value !== false && value != null) element.setAttribute(name, value)
	}
	element.append(...children.filter(Boolean))
	return element
}

// Whether a password manager led here, by /.well-known/change-password.
export const changesPassword = () => new URLSearchParams(location.search).has("change-password")

export const looking = () => !document.hidden && document.hasFocus()

export const showPage = (id) => $("#app").replaceChildren($(id).content.cloneNode(true))

export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text
}

export function syncList(list, items, keyOf, create, update) {
	const wanted = new Map(items.map((item) => [String(keyOf(item)), item]))
	const kept = new Map()
	for (const node of [...list.children]) {
		if (wanted.has(node.dataset.key)) kept.set(node.dataset.key, node)
		else node.remove()
	}
	let next = list.firstElementChild
	for (const [key, item] of wanted) {
		const node = kept.get(key) ?? create(item)
		node.dataset.key = key
		update?.(node, item)
		if (node === next) next = next.nextElementSibling
		else list.insertBefore(node, next)
	}
}

// Opens a panel; their module is loaded with the first.
export async function openPanel(name, ...args) {
	const panels = await import("./panels.js").catch(unreachable)
	panels[name](...args)
}

// Resolves when it is closed, with whether what it asked for was done.
export function showDialog(dialog) {
	const before = document.activeElement
	document.body.append(dialog)
	dialog.showModal()
	return new Promise((resolve) => dialog.addEventListener("close", () => {
		dialog.remove()
		// What it was opened from may have been in a drawer, which is closed by now.
		if (!before.checkVisibility()) $("#open-sidebar")?.focus()
		resolve(dialog.returnValue === "done")
	}))
}

export function showPanel(id, title, ...content) {
	const dialog = h("dialog", { id, "aria-label": title },
		h("h2", { tabindex: -1, autofocus: true }, title), ...content,
		h("p.error", { role: "alert" }),
		h("p.buttons.last", h("button.primary", { onclick: () => dialog.close() }, "Done")))
	showDialog(dialog)
	return dialog
}

export const field = (label, attributes) => h("label", label, h("input", attributes))

// A dialog with fields; while `action` fails, it stays and says why.
export function ask({ id = "ask", title, text, confirm, action = () => {} }, ...parts) {
	const fields = parts.filter(Boolean)
	const error = h("p.error", { id: `${id}-error`, role: "alert" })
	const dialog = h("dialog", { id, "aria-label": title },
		h("form", { onsubmit: (event) => submit(event, error, action).then((done) => done && dialog.close("done")) },
			h("h2", title), h("p.soft", text), ...fields, error,
			h("p.buttons.last",
				h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
				h("button.primary", { autofocus: !fields.length }, confirm))))
	return showDialog(dialog)
}

export async function submit(event, error, action) {
	event.preventDefault()
	event.submitter.disabled = true
	error.textContent = ""
	try {
		await action()
		return true
	} catch (problem) {
		error.textContent = problem.message
	} finally {
		event.submitter.disabled = false
	}
}
