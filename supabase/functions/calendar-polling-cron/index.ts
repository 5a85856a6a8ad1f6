// The original address of calendar-polling-cron, kept alive: see ../_shared/forward.mjs.
import { forward } from "../_shared/forward.mjs";

Deno.serve((request: Request) => forward(request, "calendar-polling-cron", Deno.env.get("MONITOR_URL")));
