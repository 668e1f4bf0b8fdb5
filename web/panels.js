// The panels: devices, password, apps and keys, help.

import { get, post, remove } from "./api.js"
import { refreshSession, run, signedOut } from "./chat.js"
import { commands } from "./commands.js"
import { $, ask, field, h, setText, showPanel, submit } from "./dom.js"
import { model } from "./model.js"
import { fromNow } from "./text.js"

export function devices() {
	const { nick } = model.session
	const list = h("ul.devices")
	const others = h("button.others", { onclick: () => removeOthers("Remove all others?", act) }, "Remove all others")
	const add = h("div.add")
	let known = []
	const dialog = showPanel("devices", "Devices",
		list, others,
		h("h3", "Add a device"), add,
		h("h3", "Leave"),
		h("p.buttons", h("button.sign-out", { onclick: leave }, "Sign out here"),
			h("button.danger", { onclick: endSession }, "End session everywhere")))
	dialog.addEventListener("told", () => act())
	act()

	async function act(action) {
		try {
			await action?.()
			known = await get("/clients")
			fill(dialog, list, known.map(device))
			others.hidden = known.length < 2
			if (add.children.length !== 2) add.replaceChildren(...howToAdd())
			setText($(".error", dialog), "")
		} catch ({ message }) {
			setText($(".error", dialog), message)
		}
	}

	function howToAdd() {
		if (!model.session.has_password) {
			return [h("p.soft", "Logging in takes a password, and this session has none yet. ",
				h("button.link", { onclick: () => password().then(() => act()) }, "Set a password"))]
		}
		const login = `?nick=${encodeURIComponent(nick)}`
		return [h("p.soft", "Scan this with a phone, or open the address and log in:", h("b", `${location.origin}/login${login}`)),
			h("img.code", { alt: "QR code of this address", src: `/login/code${login}` })]
	}

	function device({ id, name, current, created_at, seen_at, expires_at, address }) {
		const [from, last] = address ? [` from ${address.first}`, ` from ${address.last}`] : ["", ""]
		const told = `Added ${fromNow(created_at)}${from}, ${current ? "in use now" : `last used ${fromNow(seen_at)}`}${last}`
		return item([name, current && h("span.tag", "this device")], [told, `Signs out ${fromNow(expires_at)} unless renewed`],
			current
				? model.session.has_password && h("button.renew", { onclick: () => renew().then((done) => done && act()) }, "Renew")
				: sure("Remove", name, "It is signed out at once.", () => act(() => remove(`/clients/${id}`))))
	}

	function renew() {
		const secret = currentPassword("Password")
		return ask({
			id: "renew",
			title: "Renew this device",
			text: "It then stays signed in for the whole time again. A copy of its old cookie no longer works.",
			confirm: "Renew",
			action: () => post("/login", { nick, password: $("input", secret).value }),
		}, username(), secret)
	}

	async function leave() {
		await act()
		if (known.length > 1) return act(signOut)
		askToEnd("Sign out your last device?", "No other is in this session, so it ends:", signOut)
	}

	async function signOut() {
		await post("/logout")
		signedOut("logged_out")
	}

	function endSession() {
		askToEnd("End the session everywhere?", "All your devices are signed out,", async () => {
			await remove("/session")
			signedOut("session_ended")
		})
	}

	function askToEnd(title, text, action) {
		ask({ title, text: `${text} you leave your channels, and others can be ${nick}.`, confirm: "End session", action })
	}
}

// Only this device stays. Keys outlast that, so it is asked about them in the same dialog.
async function removeOthers(title, act = (action) => action()) {
	const keys = (await liveKeys()).length
	const revoke = option("label", "keys", `Revoke my API keys, too (${keys})`)
	ask({
		title,
		text: "Only this one stays in the session.",
		confirm: "Remove all others",
		action: () => act(async () => {
			if (keys && $("input", revoke).checked) await remove("/keys")
			await remove("/clients")
		}),
	}, keys > 0 && revoke)
}

const liveKeys = async () => (await get("/keys")).filter(({ ended_at }) => !ended_at)

// Everything that a changed password leaves in place.
async function afterChange() {
	if ((await get("/clients")).length > 1) return removeOthers("Password changed. Sign your other devices out, too?")
	const keys = (await liveKeys()).length
	if (!keys) return
	ask({
		title: "Password changed. Revoke your API keys, too?",
		text: `${keys === 1 ? "One key works" : `${keys} keys work`} as before.`,
		confirm: "Revoke all keys",
		action: () => remove("/keys"),
	})
}

// The nick, for password managers.
const username = () => h("input.unseen", { value: model.nick, autocomplete: "username", readonly: true, tabindex: -1, "aria-hidden": "true" })

const currentPassword = (label) =>
	field(label, { id: "current-password", type: "password", autocomplete: "current-password", required: true, autofocus: true })

function fill(dialog, list, items, none) {
	list.replaceChildren(...(items.length ? items : [h("li.soft", none)]))
	// The button pressed may be gone.
	if (document.activeElement === document.body) $("h2", dialog).focus()
}

const item = (name, lines, ...buttons) =>
	h("li", h("div", h("b", ...name), ...lines.map((line) => h("small", line))), ...buttons)

// `typed` is a new password typed already; nothing of it outlives the dialog.
export async function password(typed = "", change = model.session.has_password) {
	const current = change && currentPassword("Current password")
	const fresh = field("New password",
		{ id: "new-password", type: "password", autocomplete: "new-password", "aria-describedby": "password-rule password-error", value: typed, autofocus: !change })
	const saved = await ask({
		id: "password",
		title: change ? "Change password" : "Set a password",
		text: "With it you log in on another device and are in this same session: same nick, same channels.",
		confirm: "Save password",
		action: save,
	},
	username(), current, fresh, h("small", { id: "password-rule" }, "8 to 256 characters; a few words with spaces are fine."))
	if (saved && current) afterChange()

	async function save() {
		await run("PASS", [fresh, current].filter(Boolean).map((label) => $("input", label).value))
		await refreshSession()
	}
}

export function help() {
	showPanel("help", "Commands and keys",
		h("table", ...commands.map(({ syntax, help }) => h("tr", h("th", { scope: "row" }, syntax), h("td", help)))),
		h("p", "Shift + Enter begins a new line, ↑ brings back what you sent, @ and # and Tab complete names, Alt + ↑ ↓ changes the channel. "
			+ "A text that begins with a slash is sent with two: //like this."))
}

const SCOPES = {
	"chat:read": "read messages",
	"chat:write": "write, join and leave",
	"chat:moderate": "moderate channels",
	identity: "know who you are",
	"session:manage": "manage this session",
}
const USUAL = ["chat:read", "chat:write", "everywhere"]
const DAY = 86_400

export function apps() {
	const keys = h("ul.devices")
	const grants = h("ul.devices")
	const pending = h("ul.devices")
	const waiting = h("section", { hidden: "" }, h("h3", "Approved, and not used yet"), pending)
	const shown = h("div", { role: "status" })
	const name = field("Name, shown with its messages", { maxlength: 64, required: true, autocomplete: "off" })
	const scopes = choices("It may", Object.entries(SCOPES).slice(0, -1))
	const where = choices("Where", [["everywhere", "In all channels that you are on"], ["chosen", "Only in these:"]], { type: "radio", name: "where" })
	where.append(...model.channels().map((channel) => option("label.within", channel.name, channel.name)))
	const error = h("p.error", { role: "alert" })
	const form = h("form", { onsubmit: (event) => submit(event, error, make).then((made) => made && form.reset()) },
		name, scopes, model.channels().length > 0 && where, error, h("button", "Make the key"))
	const dialog = showPanel("apps", "Apps and keys",
		h("p.soft", "Programs that take part as you. They end with this session."),
		h("h3", "API keys"), shown, keys, h("details", h("summary", "New key"), form),
		h("h3", "Apps you let in"), grants, waiting)
	load()

	async function load() {
		try {
			const [made, granted] = await Promise.all([get("/keys"), get("/grants")])
			fill(dialog, keys, made.map(key), "No keys yet.")
			fill(dialog, grants, granted.filter((grant) => !grant.key && !grant.pending).map(grant), "No apps.")
			const approved = granted.filter((grant) => grant.pending)
			fill(dialog, pending, approved.map(approval))
			waiting.hidden = approved.length === 0
		} catch ({ message }) {
			setText($(".last", dialog).previousSibling, message)
		}
	}

	async function make() {
		const [scope, [place, ...res]] = [scopes, where].map((group) => [...group.querySelectorAll(":checked")].map(({ value }) => value))
		if ((place === "chosen") !== res.length > 0) throw new Error("Choose the channels it may be in, or all.")
		show(await post("/keys", { name: $("input", name).value, scope: scope.join(" "), ...(res.length && { res }) }))
	}

	function show({ client_id, client_secret, name }) {
		shown.replaceChildren(
			h("p.notice", `The secret of ${name}, shown this once: keep it now. Its tokens are at ${location.origin}/auth/token.`),
			copied("Client id", client_id), copied("Secret", client_secret))
		$("input", shown).focus()
		load()
	}

	function key({ client_id, name, scope, res, created_at, expires_at, ended_at, tried, tried_at, secrets }) {
		const used = secrets.map(({ last_used_at }) => last_used_at).sort().at(-1)
		const before = secrets.at(-2)?.valid_until
		const told = ended_at
			? `Ended ${fromNow(ended_at)}, ${tried ? `tried ${tried}× since, last ${fromNow(tried_at)}` : "not tried since"}`
			: [`Made ${fromNow(created_at)}`, used ? `last used ${fromNow(used)}` : "never used", expires_at && `ends ${fromNow(expires_at)}`,
				new Date(before) > Date.now() && `its last secret ends ${fromNow(before)}`].filter(Boolean).join(", ")
		const asked = scope.includes("session:manage") && model.session.has_password
		return item([name], [may(scope, res), told],
			!ended_at && sure("Rotate", name, "It gets a new secret; the one before goes on working for a day.",
				async (secret) => show(await post(`/keys/${client_id}/rotate`, { overlap: DAY, password: secret && $("input", secret).value })),
				asked && (() => currentPassword("Your password"))),
			!ended_at && revoke(name, `/keys/${client_id}`))
	}

	const grant = ({ id, app, scope, res, created_at }) =>
		item([app], [may(scope, res), `Let in ${fromNow(created_at)}`], revoke(app, `/grants/${id}`))

	// The app has not come yet for what the session approved.
	const approval = ({ app, client_id, scope, res, expires_at }) =>
		item([app], [may(scope, res), `Void ${fromNow(expires_at)} if the app does not come`],
			sure("Take back", app, "The app can no longer use what you approved.", () => remove(`/approvals/${client_id}`).then(load)))

	const revoke = (name, path) =>
		sure("Revoke", name, "It is cut off at once, and no secret of it works again.", () => remove(path).then(() => shown.replaceChildren()).then(load))
}

// What `makeField` makes is made anew for each dialog: a password does not outlive it.
const sure = (verb, name, text, action, makeField) => h("button", {
	"aria-label": `${verb} ${name}`,
	onclick: () => {
		const field = makeField ? makeField() : undefined
		ask({ title: `${verb} ${name}?`, text, confirm: verb, action: () => action(field) }, field)
	},
}, verb)

const may = (scope, res) =>
	`May ${scope.split(" ").map((one) => SCOPES[one] ?? one).join("; ")}${res ? `; only in ${res.join(", ")}` : ""}`

const choices = (title, options, attributes) => h("fieldset.choose", h("legend", title),
	...options.map(([value, label]) => option("label", value, label, attributes)))

const option = (tag, value, label, attributes) =>
	h(tag, h("input", { type: "checkbox", value, checked: USUAL.includes(value), ...attributes }), label)

function copied(label, value) {
	const shown = field(label, { value, readonly: true })
	const button = h("button", { "aria-label": `Copy ${label}`, onclick: () => {
		// Not `navigator.clipboard`: that is missing on plain http.
		$("input", shown).select()
		setText(button, document.execCommand("copy") ? "Copied" : "Press Ctrl+C")
	} }, "Copy")
	return h("p.row", shown, button)
}
