-- Connecting through Google's consent page: what must be remembered between leaving for it and coming back.

-- One row per flow. The nonce is stored as a hash, the PKCE verifier as ciphertext bound to the user and the nonce: who reads
-- the table can neither forge a return nor redeem a code.
create table if not exists public.oauth_flows (
  nonce_hash text primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  verifier text not null,
  expires_at timestamptz not null,
  -- The return that took the flow. A repeated call of the same return gets it again, any other is a replay.
  taken_by uuid,
  created_at timestamptz not null default now()
);

-- begin_oauth_flow: what has expired; a user's pending flows
create index if not exists oauth_flows_by_expiry on public.oauth_flows (expires_at);
create index if not exists oauth_flows_of_user on public.oauth_flows (user_id, created_at);

alter table public.oauth_flows enable row level security;
revoke all on table public.oauth_flows from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.oauth_flows to service_role;

-- Remembers a flow for p_seconds. Expired flows go at this occasion, and all but the newest 19 of this user: nobody comes back
-- from more consent pages than that. A repeated call changes nothing.
create or replace function public.begin_oauth_flow(
  p_nonce_hash text, p_user_id uuid, p_verifier text, p_seconds integer
) returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  delete from public.oauth_flows f where f.nonce_hash in (
    select o.nonce_hash from public.oauth_flows o where o.expires_at <= clock_timestamp()
    order by o.expires_at limit 200 for update skip locked);
  delete from public.oauth_flows f where f.nonce_hash in (
    select o.nonce_hash from public.oauth_flows o where o.user_id = p_user_id and o.nonce_hash <> p_nonce_hash
    order by o.created_at desc offset 19 for update skip locked);
  insert into public.oauth_flows (nonce_hash, user_id, verifier, expires_at)
  values (p_nonce_hash, p_user_id, p_verifier, clock_timestamp() + make_interval(secs => p_seconds))
  on conflict (nonce_hash) do nothing;
end
$$;

-- A flow comes back: 'ok' with its verifier, to one return only; else 'expired', or 'used' (also when nobody knows it).
-- Guarantee: of any number of returns at once one gets 'ok'; it gets it again when it asks again.
create or replace function public.take_oauth_flow(p_nonce_hash text, p_user_id uuid, p_return uuid)
returns table (outcome text, verifier text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_flow public.oauth_flows;
begin
  update public.oauth_flows f set taken_by = p_return
  where f.nonce_hash = p_nonce_hash and f.user_id = p_user_id and f.expires_at > clock_timestamp()
    and (f.taken_by is null or f.taken_by = p_return)
  returning f.* into v_flow;
  if found then
    return query select 'ok'::text, v_flow.verifier;
    return;
  end if;
  select * into v_flow from public.oauth_flows f
  where f.nonce_hash = p_nonce_hash and f.user_id = p_user_id and f.taken_by is null;
  return query select case when found then 'expired' else 'used' end, null::text;
end
$$;

-- A user's connection and all his calendars with their watches and first syncs, as one object (PostgREST cuts row sets).
-- Tokens leave as ciphertext, for the service alone.
create or replace function public.read_connection(p_user_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'connection', (
      select jsonb_build_object(
        'status', g.status, 'google_account', g.google_account, 'access_token', g.access_token, 'access_token_expires_at', g.access_token_expires_at,
        'refresh_token', g.refresh_token, 'connected_at', g.status_at,
        'refresh_token_expires_at', g.refresh_token_expires_at)
      from public.google_credentials g where g.user_id = p_user_id),
    'calendars', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'calendar_id', w.id, 'google_calendar_id', w.google_calendar_id, 'is_active', w.is_active is true,
        'is_live', live.is_there is true and w.is_active is true,
        'unwatched_reason', coalesce(w.paused_reason, w.watch_error_code),
        'initial_sync', w.initial_sync, 'initial_events', w.initial_events, 'initial_meetings', w.initial_meetings)
        order by w.google_calendar_id), '[]')
      from public.calendar_webhooks w
      left join lateral (
        select true as is_there from public.calendar_channels c
        where c.calendar_id = w.id and c.state = 'live' and c.expires_at > clock_timestamp() limit 1
      ) live on true
      where w.user_id = p_user_id and w.duplicate_of is null))
$$;

-- For the service alone.
revoke all on function
  public.begin_oauth_flow,
  public.take_oauth_flow,
  public.read_connection
from public, anon, authenticated;
grant execute on function
  public.begin_oauth_flow,
  public.take_oauth_flow,
  public.read_connection
to service_role;
