// What is to be noticed elsewhere: the title, the icon, and the browser's notifications.

import * as chat from "./chat.js"
import { $ } from "./dom.js"
import { model } from "./model.js"
import { plain } from "./text.js"

const icon = $("link[rel=icon]")
const READ = icon.href
const UNREAD = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
	+ '<circle cx="4" cy="4" r="3" fill="#0b6e5f" stroke="#ffd54f" stroke-width="2"/></svg>')}`
const button = $("#notify")

button.hidden = !("Notification" in window)
button.onclick = choose
chat.parts.push({ draw })

function draw() {
	const count = [...model.views.values()].reduce((sum, view) => sum + model.unread(view).count, 0)
	const wanted = count ? UNREAD : READ
	document.title = `${count ? `(${count}) ` : ""}${chat.view.name} · Rejoin`
	if (icon.href !== wanted) icon.href = wanted
	button.ariaPressed = isOn()
	button.title = isOn() ? "Notifications are on" : "Notify me of mentions and direct messages"
}

const isOn = () => localStorage.getItem("notify") !== null && window.Notification?.permission === "granted"

async function choose() {
	if (isOn()) localStorage.removeItem("notify")
	else if (await Notification.requestPermission() === "granted") localStorage.setItem("notify", "yes")
	else chat.complain("Your browser’s settings for this site forbid notifications.")
	draw()
}

export function notify(event, view) {
	if (!isOn() || !model.isForMe(event, view) || (document.hasFocus() && !document.hidden)) return
	const title = view.kind === "direct" ? event.source : `${event.source} in ${view.name}`
	try {
		const notification = new Notification(title, { body: plain(event.params[1]), tag: view.name })
		notification.onclick = () => {
			window.focus()
			chat.open(view)
		}
	} catch {
		// Phones' browsers only let workers notify.
	}
}
