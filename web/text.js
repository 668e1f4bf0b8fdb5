// Pure functions over names, texts and times.

// ASCII only, as the server does it.
export const fold = (name) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
export const same = (a, b) => fold(a) === fold(b)
export const isNick = (name) => /^[A-Za-z[\]\\`_^{|}][\w[\]\\`^{|}-]{0,31}$/.test(name)
export const isChannel = (name) => name.startsWith("#")
export const byteLength = (text) => new TextEncoder().encode(text).length
export const initial = (nick) => (nick.match(/[a-z0-9]/i)?.[0] ?? nick[0]).toUpperCase()

// A hue from 0 to 359, the same for a nick.
export const hue = (nick) => [...fold(nick)].reduce((sum, letter) => (sum * 37 + letter.codePointAt(0)) % 360, 0)

export const actionIn = (text) => /^\x01ACTION ([^\x01]*)\x01?$/.exec(text)?.[1]

export const plain = (text) => (actionIn(text) ?? text).replace(/\x03(\d{1,2}(,\d{1,2})?)?|[\x00-\x08\x0b-\x1f\x7f]/g, "")

export function mentions(text, nick) {
	const word = nick.replace(/[\\^$.*+?()[\]{}|-]/g, "\\$&")
	const other = "[^\\w[\\]\\\\`^{}|-]"
	return new RegExp(`(^|${other})${word}($|${other})`, "i").test(text)
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full" })
export const clock = (time) => clockFormat.format(new Date(time))
export const dayName = (time) => dayFormat.format(new Date(time))
export const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString()

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" })

export function fromNow(time) {
	const seconds = (new Date(time) - Date.now()) / 1000
	for (const [unit, length] of [["day", 86_400], ["hour", 3_600], ["minute", 60]]) {
		if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit)
	}
	return "just now"
}

export const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".")
