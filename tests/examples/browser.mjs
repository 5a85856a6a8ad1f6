// A browser of little skill for the example's page: opens it at each URL of one tab, clicks what is named, and says what
// is seen. stdin: {page, visits: [{url, click}]}; stdout: [{told, address, went, calendars, asked}], one per visit.

import { readFileSync } from "node:fs"

const { page, visits } = JSON.parse(readFileSync(0, "utf8"))
const kept = new Map()
const seen = []
let asked = []

const send = globalThis.fetch
globalThis.fetch = async (url, options) => {
  asked.push(String(url))
  return send(url, options)
}
globalThis.sessionStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) }

const settled = async (holds) => {
  for (let tries = 0; !holds() && tries < 2000; tries++) await new Promise((resolve) => setTimeout(resolve, 5))
}

for (const [number, { url, click }] of visits.entries()) {
  const elements = {}
  const element = () => ({ textContent: "", hidden: false, children: [], replaceChildren: function (...all) { this.children = all } })
  const visit = { address: url, went: null }
  asked = []
  globalThis.document = { getElementById: (id) => (elements[id] ??= element()), createElement: element }
  globalThis.history = { replaceState: (state, title, address) => (visit.address = address) }
  globalThis.location = { href: url, assign: (address) => (visit.went = address) }
  await import(`${page}?visit=${number}`)
  if (click) elements[click].onclick()
  const told = () => elements.told?.textContent ?? ""
  const waits = () => asked.length > 0 && ["", "Signed in."].includes(told()) && !visit.went
  await settled(() => !waits())
  seen.push({ ...visit, asked, told: told(), calendars: (elements.calendars?.children ?? []).map((item) => item.textContent) })
}
console.log(JSON.stringify(seen))
