// What is to be noticed elsewhere: the title, the address, the icon, and the browser's notifications.

import * as chat from "./chat.js"
import { $, looking } from "./dom.js"
import { model } from "./model.js"
import { isNick, plain } from "./text.js"

const WORKER = "/assets/worker.js"
const { serviceWorker } = navigator
const icon = $("link[rel=icon]")
const READ = icon.href
const UNREAD = 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="4" fill="%230b6e5f"/></svg>'
const button = $("#notify")
let shown = ""

// On phones only a worker may notify; on plain http there is none.
button.hidden = !serviceWorker || !window.Notification
button.onclick = () => choose().then(draw, chat.explain)
if (serviceWorker) serviceWorker.onmessage = ({ data }) => chat.open(model.view(data) ?? model.server)
chat.parts.push({ draw })

function draw() {
	const count = [model.server, ...model.all].reduce((sum, { count }) => sum + count, 0)
	const wanted = count ? UNREAD : READ
	const { kind, name } = chat.view
	document.title = `${count ? `(${count}) ` : ""}${name} · Rejoin`
	const address = location.pathname + (kind === "channel" ? name : isNick(name) ? `?with=${encodeURIComponent(name)}` : "")
	if (address !== shown) history.replaceState(null, "", address)
	shown = address
	if (icon.href !== wanted) icon.href = wanted
	button.ariaPressed = isOn()
	button.title = isOn() ? "Notifications are on" : "Notify me of mentions and direct messages"
}

const isOn = () => localStorage.getItem("notify") !== null && window.Notification?.permission === "granted"

async function choose() {
	if (isOn()) localStorage.removeItem("notify")
	else if (await Notification.requestPermission() === "granted") {
		await serviceWorker.register(WORKER)
		localStorage.setItem("notify", "yes")
	} else chat.complain("Your browser’s settings for this site forbid notifications.")
}

export async function notify(event, view) {
	if (!isOn() || looking() || !model.isForMe(event, view)) return
	const worker = await serviceWorker.getRegistration(WORKER)
	const title = view.kind === "channel" ? `${event.source} in ${view.name}` : event.source
	// One tag for all tabs, so that it is shown once.
	worker?.showNotification(title, { body: plain(event.params[1]), tag: String(event.id), data: view.name })
}
