// Passes a call on to the monitor under the path it has here, so that old addresses go on working. Set MONITOR_URL as a secret
// of the functions; deploy with --no-verify-jwt, for the monitor itself checks who calls, and Google has no token of Supabase's.

// What the monitor reads. No cookie, no address, and no header that the platform adds for itself is passed on.
const PASSED_ON = [
  "accept", "apikey", "authorization", "content-type", "idempotency-key",
  "x-goog-channel-id", "x-goog-channel-token", "x-goog-channel-expiration", "x-goog-message-number",
  "x-goog-resource-id", "x-goog-resource-state", "x-goog-resource-uri",
];
const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "authorization, apikey, content-type, x-client-info",
  "access-control-allow-methods": "GET, POST, OPTIONS",
};
// A cron call works up to 50 s by default.
const TIMEOUT_MS = 60_000;

export async function forward(request, name, monitorUrl) {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: CORS });
  if (!monitorUrl) return problem(500, "monitor_url_missing", "Set the secret MONITOR_URL of these functions.");
  const headers = new Headers();
  for (const key of PASSED_ON) {
    const value = request.headers.get(key);
    if (value !== null) headers.set(key, value);
  }
  const target = monitorUrl.replace(/\/+$/, "") + "/functions/v1/" + name + new URL(request.url).search;
  const body = request.method === "GET" ? undefined : await request.arrayBuffer();
  try {
    const answer = await fetch(target, {
      method: request.method, headers, body, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const type = answer.headers.get("content-type");
    const bodyless = answer.status === 204 || answer.status === 304;
    return new Response(bodyless ? null : answer.body, {
      status: answer.status, headers: { ...CORS, ...(type ? { "content-type": type } : {}) },
    });
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return isLate
      ? problem(504, "monitor_timed_out", "The monitor did not answer in time.")
      : problem(502, "monitor_unreachable", "The monitor could not be reached.");
  }
}

function problem(status, code, detail) {
  return Response.json({ code, detail, status }, { status, headers: { ...CORS, "content-type": "application/problem+json" } });
}
