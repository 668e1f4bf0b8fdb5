// Small helpers for building DOM. Text always goes in as text, never as HTML.

export const $ = (selector, root = document) => root.querySelector(selector);

export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else if (value !== false && value != null) element.setAttribute(name, value);
	}
	element.append(...children.filter(Boolean));
	return element;
}

export const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export function showPage(id) {
	const page = fromTemplate(id);
	$("#app").replaceChildren(page);
	return page;
}

export function setText(element, text) {
	if (element.textContent !== text) element.textContent = text;
}

export function syncList(list, items, keyOf, create, update) {
	const wanted = new Map(items.map((item) => [String(keyOf(item)), item]));
	const kept = new Map();
	for (const node of [...list.children]) {
		if (wanted.has(node.dataset.key)) kept.set(node.dataset.key, node);
		else node.remove();
	}
	let next = list.firstElementChild;
	for (const [key, item] of wanted) {
		const node = kept.get(key) ?? create(item);
		node.dataset.key = key;
		update?.(node, item);
		if (node === next) next = next.nextElementSibling;
		else list.insertBefore(node, next);
	}
}
