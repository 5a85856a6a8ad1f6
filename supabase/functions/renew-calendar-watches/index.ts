// The original address of renew-calendar-watches, kept alive: see ../_shared/forward.mjs.
import { forward } from "../_shared/forward.mjs";

Deno.serve((request: Request) => forward(request, "renew-calendar-watches", Deno.env.get("MONITOR_URL")));
