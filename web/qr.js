// QR codes (ISO/IEC 18004) of up to 106 bytes: versions 1 to 6, error correction level M.

import { h } from "./dom.js"

// By version: how many blocks, and in each, how many codewords of data and how many that correct them.
const VERSIONS = [[1, 16, 10], [1, 28, 16], [1, 44, 26], [2, 32, 18], [2, 43, 24], [4, 27, 16]]
// Level M and mask 0, encoded. Any mask can be read.
const FORMAT = 0x5412

export function drawCode(address) {
	const rows = encode(address)
	if (!rows) return null
	const dark = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("")
	const view = `-4 -4 ${rows.length + 8} ${rows.length + 8}`
	const picture = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${view}"><path d="${dark}"/></svg>`
	return h("img.code", { alt: "QR code of this address", src: `data:image/svg+xml,${encodeURIComponent(picture)}` })
}

// Rows of modules, each dark or not; nothing if the text is too long.
export function encode(text) {
	const bytes = [...new TextEncoder().encode(text)]
	const version = VERSIONS.findIndex(([count, size]) => count * size >= bytes.length + 2)
	if (version < 0) return null
	const [count, size, correcting] = VERSIONS[version]
	// Mode, length, bytes, end, padding: in hexadecimal, as mode and end are half a byte each.
	const hex = [bytes.length, ...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
	const data = `4${hex}0`.padEnd(2 * count * size, "ec11").match(/../g).map((pair) => parseInt(pair, 16))
	// Blocks take turns; first with their data, then with what corrects it.
	const blocks = Array.from({ length: count }, (_, i) => data.slice(i * size, (i + 1) * size))
	const checks = blocks.map((block) => remainder(block, correcting))
	return place(21 + 4 * version, [blocks, checks].flatMap((parts) => parts[0].flatMap((_, i) => parts.map((part) => part[i]))))
}

// In the field of 256 elements, modulo x⁸ + x⁴ + x³ + x² + 1.
function multiply(a, b) {
	let product = 0
	for (let bit = 7; bit >= 0; bit -= 1) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> bit) & 1) * a)
	return product
}

// Reed and Solomon's: the remainder of the data's polynomial by the product of (x - 2ⁱ).
function remainder(data, degree) {
	let generator = [1]
	for (let i = 0, root = 1; i < degree; i += 1, root = multiply(root, 2)) {
		generator = [...generator, 0].map((term, j) => term ^ multiply(generator[j - 1] ?? 0, root))
	}
	let rest = Array(degree).fill(0)
	for (const codeword of data) {
		const factor = codeword ^ rest[0]
		rest = [...rest.slice(1), 0].map((term, i) => term ^ multiply(generator[i + 1], factor))
	}
	return rest
}

// In columns of two from the right, up and down in turns, around what is the same whatever is said.
function place(size, codewords) {
	const indices = Array.from({ length: size }, (_, i) => i)
	const rows = indices.map((y) => indices.map((x) => fixed(size, x, y)))
	let at = 0
	for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
		for (const y of indices.reverse()) {
			for (const x of [right, right - 1]) {
				if (rows[y][x] !== undefined) continue
				const bit = (codewords[at >> 3] >> (7 - (at & 7))) & 1
				rows[y][x] = bit === (x + y) % 2
				at += 1
			}
		}
	}
	return rows
}

// Whether a module that says nothing is dark; `undefined` for one that does.
function fixed(size, x, y) {
	const from = (cx, cy) => Math.max(Math.abs(x - cx), Math.abs(y - cy))
	const format = (i) => Boolean((FORMAT >> i) & 1)
	const finder = Math.min(from(3, 3), from(size - 4, 3), from(3, size - 4))
	if (finder < 5) return finder !== 2 && finder !== 4
	if (x === 6 || y === 6) return (x + y) % 2 === 0
	const alignment = from(size - 7, size - 7)
	if (alignment < 3 && size > 21) return alignment !== 1
	if (x === 8 && y < 9) return format(y < 6 ? y : y - 1)
	if (x === 8 && y >= size - 8) return y === size - 8 || format(y - size + 15)
	if (y === 8 && x < 8) return format(x < 6 ? 14 - x : 8)
	if (y === 8 && x >= size - 8) return format(size - 1 - x)
}
