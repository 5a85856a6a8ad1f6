// The page: what came back in the URL, what the buttons do, and what is seen of the user's calendars. Its session ends with
// the tab; an app has its own.

import { config } from "./config.js"
import { arrival, complete, consentUrl, disconnect, handOver, signInUrl } from "./connect.js"
import { SignedOut, follow, isSyncing, mustReconnect } from "./live.js"

const WHY = {
  access_denied: "You declined. Nothing was connected.",
  state_expired: "That took too long. Please begin again.",
  state_used: "That page was used already. Please begin again.",
}
const STATES = {
  connecting: "waiting for its first look",
  retrying: "Google did not answer; trying again",
  overdue: "looked at late",
  poisoned: "set aside after repeated trouble",
  paused: "paused",
}
const DAY = { weekday: "short", day: "numeric", month: "short" }
const TIME = { hour: "numeric", minute: "2-digit" }
const element = (id) => document.getElementById(id)

function say(text) {
  element("told").textContent = text
}

function made(tag, className, text) {
  const node = document.createElement(tag)
  node.className = className
  node.textContent = text
  return node
}

// The account is named, so that whoever finds another than they meant can undo it.
function welcome({ message, google_account: account }) {
  say(account ? `Connected: ${account}. ${message}` : message)
}

function calendarItem(calendar) {
  const item = document.createElement("li")
  const name = calendar.calendar_name ?? (calendar.google_calendar_id === "primary" ? "Your main calendar" : calendar.google_calendar_id)
  const { initial_events: events, initial_meetings: meetings } = calendar
  const found = events ? `${events} events read, ${meetings} meetings found` : "being read for the first time"
  const isFirst = isSyncing([calendar])
  const state = calendar.reason === "needs_reauth" ? "Google needs your consent again" : STATES[calendar.state]
  item.append(made("span", "name", name), made("span", "state", isFirst ? found : (state ?? "up to date")))
  if (isFirst) {
    // Google does not say how many there are: a bar without an end.
    const bar = document.createElement("progress")
    bar.setAttribute("aria-label", `First sync of ${name}`)
    item.append(bar)
  }
  return item
}

function whenOf(meeting) {
  const [start, end] = [new Date(meeting.start_time), new Date(meeting.end_time)]
  // A whole day begins at midnight where its calendar is, which may be another day where the reader is.
  if (meeting.is_all_day) return `${start.toLocaleDateString([], { ...DAY, timeZone: meeting.time_zone })}, all day`
  return `${start.toLocaleDateString([], DAY)}, ${start.toLocaleTimeString([], TIME)} – ${end.toLocaleTimeString([], TIME)}`
}

function meetingItem(meeting) {
  const item = document.createElement("li")
  const title = meeting.title || "(no title)"
  const isDeclined = meeting.event_status === "declined"
  item.append(
    made("span", isDeclined ? "title declined" : "title", title),
    made("span", "when", whenOf(meeting) + (isDeclined ? ", declined" : "")),
  )
  // A title is text and a link is one of the web's: both come from whoever sent the invitation.
  if (/^https:\/\//.test(meeting.meeting_url ?? "")) {
    const link = made("a", "join", "Join")
    link.href = meeting.meeting_url
    link.rel = "noreferrer noopener"
    link.target = "_blank"
    link.setAttribute("aria-label", `Join ${title}`)
    item.append(link)
  }
  return item
}

function live(text, isTroubled) {
  element("live").textContent = text
  element("live").className = isTroubled ? "troubled" : ""
  element("live").hidden = !text
}

function showSeen({ calendars, meetings }) {
  live("live", false)
  const isConnected = calendars.length > 0
  const isDead = mustReconnect(calendars)
  element("connected").hidden = element("disconnect").hidden = !isConnected
  element("ahead").hidden = !isConnected || (isSyncing(calendars) && !meetings.length)
  element("connect").hidden = isConnected && !isDead
  element("connect").className = "first"
  element("connect").textContent = isDead ? "Connect again" : "Connect a Google Calendar"
  element("calendars").replaceChildren(...calendars.map(calendarItem))
  element("meetings").replaceChildren(...meetings.map(meetingItem))
  element("none").hidden = meetings.length > 0
}

function showTrouble(error) {
  if (error instanceof SignedOut) return signedOut(error.message)
  live("not live; trying again", true)
}

function signedOut(why) {
  sessionStorage.removeItem("access_token")
  for (const id of ["connected", "ahead", "connect", "disconnect"]) element(id).hidden = true
  element("calendars").replaceChildren()
  element("meetings").replaceChildren()
  element("sign-in").hidden = false
  live("", false)
  say(why)
}

async function attempt(work) {
  try {
    await work()
  } catch (refused) {
    say(refused.message)
  }
  following?.soon()
}

const arrived = arrival(location.href)
const here = arrived.clean
// Neither the handle nor the tokens stay in the address bar or the history, whatever becomes of them.
history.replaceState(null, "", here)
if (arrived.session) sessionStorage.setItem("access_token", arrived.session.access_token)
const session = { access_token: sessionStorage.getItem("access_token"), ...arrived.session }
let following = null

element("sign-in").onclick = () => location.assign(signInUrl(config, here))
element("connect").onclick = () => attempt(async () => location.assign(await consentUrl(config, session, here)))
element("disconnect").onclick = () => attempt(async () => say((await disconnect(config, session)).message))

if (session.access_token) {
  element("sign-in").hidden = true
  say("Signed in.")
  following = follow(config, session, showSeen, showTrouble)
  if (session.provider_refresh_token) attempt(async () => welcome(await handOver(config, session)))
  else if (arrived.handle) attempt(async () => welcome(await complete(config, session, arrived.handle)))
  else if (arrived.result) say(WHY[arrived.result] ?? "Google did not let it happen. Please begin again.")
}
