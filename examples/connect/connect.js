// What a front end does to connect a user's Google Calendar, both ways. Needs no library; `page.js` puts it on a page.
// A session is what Supabase gives: `access_token`, and right after a sign-in with Google `provider_refresh_token`.

const SCOPES = [
  "https://www.googleapis.com/auth/calendar.events.readonly",
  "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
]

/** A refusal of the service. `code` is stable, the message is for people; `retryAfter`: seconds, if asking again helps. */
export class Refused extends Error {
  constructor(problem, retryAfter) {
    super(problem.detail)
    this.code = problem.code
    this.retryAfter = retryAfter
  }
}

async function post(config, session, path, body) {
  const answer = await fetch(config.service + path, {
    method: "POST",
    headers: { Authorization: `Bearer ${session.access_token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  })
  const told = await answer.json()
  if (!answer.ok) throw new Refused(told, Number(answer.headers.get("Retry-After")))
  return told
}

/** Way A: where to send the browser for Supabase's sign-in with Google, with what lets the service read calendars. */
export function signInUrl(config, here) {
  const url = new URL("/auth/v1/authorize", config.supabase)
  url.search = new URLSearchParams({
    provider: "google",
    scopes: SCOPES.join(" "),
    // Without these two Google gives no refresh token.
    access_type: "offline",
    prompt: "consent",
    redirect_to: here,
  })
  return url.href
}

/** Way A, back from the sign-in: hands its grant to the service at once, for Supabase does not keep it. */
export function handOver(config, session) {
  return post(config, session, "/functions/v1/connect-calendar", {
    provider_refresh_token: session.provider_refresh_token,
  })
}

/** Way B, for a user who is signed in already: the URL of Google's consent page, to navigate to. */
export async function consentUrl(config, session, here) {
  const { url } = await post(config, session, "/connect/google", { redirect_to: here })
  return url
}

/** Way B, back from the consent page: nothing is connected until the user who began says so. */
export async function complete(config, session, handle) {
  for (;;) {
    try {
      return await post(config, session, "/connect/google/complete", { handle })
    } catch (refused) {
      // These two leave the handle good; after anything else it is spent.
      if (!["user_busy", "too_much_at_once"].includes(refused.code)) throw refused
      await new Promise((resolve) => setTimeout(resolve, 1000 * refused.retryAfter))
    }
  }
}

/** How it is undone. */
export function disconnect(config, session) {
  return post(config, session, "/connect/google/disconnect", { meetings: "keep" })
}

/** What a URL brought back, and the URL without it: `result` and `handle` of a consent, or the session of a sign-in. */
export function arrival(href) {
  const url = new URL(href)
  const result = url.searchParams.get("result")
  url.searchParams.delete("result")
  const brought = new URLSearchParams(url.hash.slice(1))
  url.hash = ""
  const session = brought.has("access_token")
    ? { access_token: brought.get("access_token"), provider_refresh_token: brought.get("provider_refresh_token") }
    : null
  return { result, handle: brought.get("handle"), session, clean: url.href }
}
