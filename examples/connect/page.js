// The page: what came back in the URL, and what the buttons do. Its session ends with the tab; an app has its own.

import { config } from "./config.js"
import { arrival, complete, consentUrl, disconnect, handOver, signInUrl } from "./connect.js"

const WHY = {
  access_denied: "You declined. Nothing was connected.",
  state_expired: "That took too long. Please begin again.",
  state_used: "That page was used already. Please begin again.",
}
const element = (id) => document.getElementById(id)

function say(text) {
  element("told").textContent = text
}

// The account is named, so that whoever finds another than they meant can undo it.
function show({ message, google_account: account, calendars }) {
  say(account ? `Connected: ${account}. ${message}` : message)
  const items = calendars.map((calendar) => {
    const item = document.createElement("li")
    item.textContent = calendar.google_calendar_id
    return item
  })
  element("calendars").replaceChildren(...items)
}

async function attempt(work) {
  try {
    await work()
  } catch (refused) {
    say(refused.message)
  }
}

const arrived = arrival(location.href)
const here = arrived.clean
// Neither the handle nor the tokens stay in the address bar or the history, whatever becomes of them.
history.replaceState(null, "", here)
if (arrived.session) sessionStorage.setItem("access_token", arrived.session.access_token)
const session = { access_token: sessionStorage.getItem("access_token"), ...arrived.session }

element("sign-in").onclick = () => location.assign(signInUrl(config, here))
element("connect").onclick = () => attempt(async () => location.assign(await consentUrl(config, session, here)))
element("disconnect").onclick = () =>
  attempt(async () => {
    say((await disconnect(config, session)).message)
    element("calendars").replaceChildren()
  })

if (session.access_token) {
  element("connect").hidden = element("disconnect").hidden = false
  say("Signed in.")
  if (session.provider_refresh_token) attempt(async () => show(await handOver(config, session)))
  else if (arrived.handle) attempt(async () => show(await complete(config, session, arrived.handle)))
  else if (arrived.result) say(WHY[arrived.result] ?? "Google did not let it happen. Please begin again.")
}
