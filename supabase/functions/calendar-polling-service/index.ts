// The original address of calendar-polling-service, kept alive: see ../_shared/forward.mjs.
import { forward } from "../_shared/forward.mjs";

Deno.serve((request: Request) => forward(request, "calendar-polling-service", Deno.env.get("MONITOR_URL")));
