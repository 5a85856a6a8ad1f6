// Yours to change. `service` is the first WEBHOOK_BASE_URL; this page's own URL must be one of CONNECT_REDIRECT_URLS. `key` is
// Supabase's publishable key (or the legacy anon key), which may be public: what a user reads is decided by their sign-in.
export const config = {
  service: "http://127.0.0.1:8080",
  supabase: "http://127.0.0.1:54321",
  key: "sb_publishable_…",
}
