// What a front end shows of a connected user: their calendars, how the first sync goes, and what is coming up. Read from
// Supabase's REST API, where row level security gives a user their own rows alone. Needs no library; `page.js` shows it.

const CALENDARS =
  "my_calendars?select=id,google_calendar_id,calendar_name,state,reason,initial_sync,initial_events,initial_meetings,last_synced_at" +
  "&state=neq.inactive&order=connected_at"
const MEETINGS =
  "upcoming_meetings?select=id,title,start_time,end_time,is_all_day,time_zone,meeting_url,event_status&order=start_time,id&limit=50"

// How soon a page looks again: while a first sync runs, else, and after failures at most.
const PROGRESS_MS = 1000
const STEADY_MS = 4000
const TROUBLED_MS = 60000

/** The sign-in has ended, and nobody is shown anything until the next. */
export class SignedOut extends Error {}

async function read(config, session, query) {
  const answer = await fetch(`${config.supabase}/rest/v1/${query}`, {
    headers: { apikey: config.key, Authorization: `Bearer ${session.access_token}` },
    cache: "no-store",
  })
  if (answer.status === 401) throw new SignedOut("Your sign-in has ended. Please sign in again.")
  if (!answer.ok) throw new Error(`Supabase answered ${answer.status}.`)
  return answer.json()
}

/** Whether a first sync of these calendars is still under way. */
export function isSyncing(calendars) {
  return calendars.some((calendar) => ["pending", "running"].includes(calendar.initial_sync) && calendar.state !== "paused")
}

/** Whether Google accepts the user's grant no more: only connecting again helps. */
export function mustReconnect(calendars) {
  return calendars.some((calendar) => calendar.state === "paused" && calendar.reason === "needs_reauth")
}

/**
 * Looks again and again, as long as the page is seen. `onSeen({ calendars, meetings })` after each look; `onTrouble(error)`
 * when one failed: after a `SignedOut` it ends, after anything else it tries again, later each time. `soon()` looks at once.
 */
export function follow(config, session, onSeen, onTrouble) {
  let timer = 0
  let failures = 0
  let isEnded = false
  let turn = 0

  async function look() {
    const mine = ++turn
    clearTimeout(timer)
    let pause = STEADY_MS
    try {
      const [calendars, meetings] = await Promise.all([
        read(config, session, CALENDARS),
        read(config, session, MEETINGS),
      ])
      // A later look, or a sign-out, has overtaken this one.
      if (isEnded || mine !== turn) return
      failures = 0
      if (isSyncing(calendars)) pause = PROGRESS_MS
      onSeen({ calendars, meetings })
    } catch (error) {
      if (isEnded || mine !== turn) return
      isEnded = error instanceof SignedOut
      pause = Math.min(TROUBLED_MS, STEADY_MS * 2 ** failures++)
      onTrouble(error)
    }
    if (!isEnded && !document.hidden) timer = setTimeout(look, pause)
  }

  function soon() {
    if (!isEnded && !document.hidden) look()
  }

  function end() {
    isEnded = true
    clearTimeout(timer)
    document.removeEventListener("visibilitychange", soon)
    removeEventListener("online", soon)
  }

  document.addEventListener("visibilitychange", soon)
  addEventListener("online", soon)
  look()
  return { soon, end }
}
