// The original address of google-calendar-webhook, kept alive: see ../_shared/forward.mjs.
import { forward } from "../_shared/forward.mjs";

Deno.serve((request: Request) => forward(request, "google-calendar-webhook", Deno.env.get("MONITOR_URL")));
