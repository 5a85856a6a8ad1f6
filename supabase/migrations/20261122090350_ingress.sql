-- Ingress: the doors through which Google's notifications come, region by region (WEBHOOK_BASE_URL).
--
-- One narrow row per region. Processes add to its counters once a minute; one duty judges it, and writes its state. Channels are
-- never scanned: what a region's calendars would send is known from a sample.
--
--   healthy -> silent          far fewer pushes come than its calendars would send
--   healthy, silent -> sick    probes through its door do not come back, or changes of many calendars were missed
--   silent, sick -> healthy    pushes come, probes come back, or those calendars have simply not changed

create table if not exists public.ingress_regions (
  name text primary key,
  address text not null,
  state text not null default 'healthy',
  reason text,
  since timestamptz,
  channels double precision not null default 0,
  rates jsonb not null default '{}',
  sampled_at timestamptz,
  window_since timestamptz,
  pushes double precision not null default 0,
  expected double precision not null default 0,
  announced double precision not null default 0,
  missed double precision not null default 0,
  missing double precision not null default 0,
  looks double precision not null default 0,
  probe_failures integer not null default 0,
  probe_passes integer not null default 0,
  probe_error text,
  probed_at timestamptz,
  probe_ms integer,
  judged_at timestamptz,
  well_since timestamptz,
  left_at timestamptz,
  flaps integer not null default 0,
  asked_at timestamptz,
  calm_until timestamptz,
  constraint ingress_regions_state check (state in ('healthy', 'silent', 'sick'))
);
comment on table public.ingress_regions is
  'How notifications come through each region''s door. For the service alone; push_findings tells of those in trouble.';
comment on column public.ingress_regions.name is 'The region, as WEBHOOK_BASE_URL names it.';
comment on column public.ingress_regions.address is 'Where its channels send notifications.';
comment on column public.ingress_regions.state is 'See docs/states.md.';
comment on column public.ingress_regions.reason is 'Why it has this state; null: it was always well.';
comment on column public.ingress_regions.since is 'Since when.';
comment on column public.ingress_regions.channels is 'Its live channels, as the last sample has it.';
comment on column public.ingress_regions.rates is 'Pushes a day that they would bring, by the calendars'' time zone, as the last sample has it.';
comment on column public.ingress_regions.sampled_at is 'When that was.';
comment on column public.ingress_regions.window_since is 'Since when the following were counted.';
comment on column public.ingress_regions.pushes is 'Syncs that a notification through this door asked for.';
comment on column public.ingress_regions.expected is 'How many its calendars would have asked for.';
comment on column public.ingress_regions.announced is 'Changes found that a notification had announced.';
comment on column public.ingress_regions.missed is 'Changes found that none had.';
comment on column public.ingress_regions.missing is 'Looks that found such.';
comment on column public.ingress_regions.looks is 'Polls of its calendars.';
comment on column public.ingress_regions.probe_failures is 'Probes in a row that did not come back.';
comment on column public.ingress_regions.probe_passes is 'Probes in a row that did.';
comment on column public.ingress_regions.probe_error is 'Why the last one did not.';
comment on column public.ingress_regions.probed_at is 'When it was last probed.';
comment on column public.ingress_regions.probe_ms is 'How long that took.';
comment on column public.ingress_regions.judged_at is 'When it was last judged.';
comment on column public.ingress_regions.well_since is 'When its last trouble ended; null: it had none.';
comment on column public.ingress_regions.left_at is 'When its last trouble began.';
comment on column public.ingress_regions.flaps is 'Troubles that began within a day of the one before.';
comment on column public.ingress_regions.asked_at is 'When some of its calendars were looked at, for its silence.';
comment on column public.ingress_regions.calm_until is 'Until when a silence is not asked about again, since those had not changed.';

alter table public.ingress_regions enable row level security;
revoke all on table public.ingress_regions from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.ingress_regions to service_role;

-- For push_findings: watches whose renewal fails while their channel still lives.
create index if not exists calendar_webhooks_watch_failing on public.calendar_webhooks (expiration_time)
  where watch_failures > 0 and is_active;

-- What a process has counted since it last said so, by the address of the channels:
-- [{address, pushes, announced, missed, missing, looks}]. Sums: any number of processes say it side by side.
create or replace function public.report_ingress(p_counts jsonb) returns void
language sql security invoker set search_path = ''
as $$
  update public.ingress_regions r set
    pushes = r.pushes + c.pushes, announced = r.announced + c.announced, missed = r.missed + c.missed,
    missing = r.missing + c.missing, looks = r.looks + c.looks
  from jsonb_to_recordset(p_counts) as c (
    address text, pushes double precision, announced double precision, missed double precision, missing double precision,
    looks double precision)
  where r.address = c.address
$$;

-- All regions.
create or replace function public.read_ingress() returns setof public.ingress_regions
language sql stable security invoker set search_path = ''
as $$
  select * from public.ingress_regions order by name limit 100
$$;

-- Writes what was judged of the regions that are served (p_regions, columns by name), and forgets all others. starts_window: what
-- the judge has read of the counters is taken off; what came meanwhile stays.
create or replace function public.record_ingress(p_regions jsonb) returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  delete from public.ingress_regions r where r.name not in (select x ->> 'name' from jsonb_array_elements(p_regions) x);
  insert into public.ingress_regions as r (
    name, address, state, reason, since, window_since, expected, probe_failures, probe_passes, probe_error, probed_at, probe_ms,
    judged_at, well_since, left_at, flaps, asked_at, calm_until)
  select x.name, x.address, x.state, x.reason, x.since, x.window_since, x.expected, x.probe_failures, x.probe_passes,
    x.probe_error, x.probed_at, x.probe_ms, x.judged_at, x.well_since, x.left_at, x.flaps, x.asked_at, x.calm_until
  from jsonb_populate_recordset(null::public.ingress_regions, p_regions) x
  on conflict (name) do update set
    address = excluded.address, state = excluded.state, reason = excluded.reason, since = excluded.since,
    window_since = excluded.window_since, expected = excluded.expected, probe_failures = excluded.probe_failures,
    probe_passes = excluded.probe_passes, probe_error = excluded.probe_error, probed_at = excluded.probed_at,
    probe_ms = excluded.probe_ms, judged_at = excluded.judged_at, well_since = excluded.well_since,
    left_at = excluded.left_at, flaps = excluded.flaps, asked_at = excluded.asked_at, calm_until = excluded.calm_until;
  update public.ingress_regions r set
    pushes = r.pushes - x.pushes, announced = r.announced - x.announced, missed = r.missed - x.missed,
    missing = r.missing - x.missing, looks = r.looks - x.looks
  from jsonb_to_recordset(p_regions) as x (
    name text, starts_window boolean, pushes double precision, announced double precision, missed double precision,
    missing double precision, looks double precision)
  where r.name = x.name and x.starts_window;
end
$$;

-- How many channels each region has, and how many pushes a day they would bring, from a sample: p_limit calendars from p_from on,
-- and by their ids' share of all ids how many there are of all. Of a calendar that was watched for a few days only little is
-- expected, for nobody knows yet. Once an hour, by one process. Answers how many calendars were seen.
create or replace function public.sample_ingress(p_from uuid, p_limit integer, p_now timestamptz) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_limit integer := least(greatest(p_limit, 0), 50000);
  v_seen integer;
  v_last uuid;
  v_share double precision := 1;
begin
  select count(*), (array_agg(s.id order by s.id desc))[1] into v_seen, v_last from (
    select w.id from public.calendar_webhooks w where w.id >= p_from order by w.id limit v_limit) s;
  if v_seen >= v_limit and v_seen > 0 then
    -- Ids are random, so their first 32 bits are even.
    v_share := greatest(1, ('x' || left(v_last::text, 8))::bit(32)::bigint - ('x' || left(p_from::text, 8))::bit(32)::bigint)
      / 4294967296.0;
  end if;
  with sample as materialized (
    select w.id, w.time_zone, w.belief_changes / (w.belief_change_days + 3.0)
        * (w.belief_announced + 1) / (w.belief_announced + w.belief_missed + 1) as rate
    from public.calendar_webhooks w
    where w.id >= p_from and w.id <= v_last and w.is_active and w.paused_reason is null and w.duplicate_of is null
  ), pointed as (
    select c.address, coalesce(s.time_zone, 'UTC') as zone, count(*) / v_share as channels, sum(s.rate) / v_share as rate
    from sample s
    join lateral (
      select c.address from public.calendar_channels c
      where c.calendar_id = s.id and c.state = 'live' and c.expires_at > p_now
      order by c.opened_at desc limit 1
    ) c on true
    group by c.address, coalesce(s.time_zone, 'UTC')
  ), summed as (
    select p.address, sum(p.channels) as channels, jsonb_object_agg(p.zone, p.rate) as rates from pointed p group by p.address
  )
  update public.ingress_regions r set
    channels = coalesce(s.channels, 0), rates = coalesce(s.rates, '{}'), sampled_at = p_now
  from public.ingress_regions o left join summed s on s.address = o.address
  where r.name = o.name;
  return v_seen;
end
$$;

-- A region is silent: up to p_limit of its calendars, those that change most among some hundreds, are due now. What they find tells
-- whether its door is shut; all others wait for their own time. Answers how many.
-- Planned once by each connection: among very many calendars Postgres would plan each call anew.
create or replace function public.look_through_region(p_address text, p_limit integer) returns integer
language sql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
  with through as materialized (
    select c.calendar_id from public.calendar_channels c
    where c.address = p_address and c.state = 'live' and c.moved_at is null limit 500
  ), picked as (
    select w.id from public.calendar_webhooks w join through s on s.calendar_id = w.id
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.sync_token is not null
      and w.lease_expires_at is null and w.consecutive_failures = 0
    order by w.belief_changes / (w.belief_change_days + 3.0) desc
    limit least(greatest(p_limit, 0), 100)
    for no key update of w skip locked
  ), due as (
    update public.calendar_webhooks w set
      due_at = least(w.due_at, greatest(clock_timestamp(), w.not_before)), due_reason = 'region_silent'
    from picked where w.id = picked.id
    returning 1
  )
  select count(*)::integer from due
$$;

-- What is wrong with push, for whoever alerts: one row per cause, however many calendars it concerns.
--   region_sick, region_silent   a region's door; calendars: its live channels, by the last sample
--   channels_lapsing             renewals fail, and the channels lapse within p_hours, the first at lapses_at; calendars: counted
--                                to 1000
create or replace function public.push_findings(p_hours double precision default 24)
returns table (kind text, name text, reason text, since timestamptz, lapses_at timestamptz, calendars bigint)
language sql stable security invoker set search_path = ''
as $$
  select 'region_' || r.state, r.name, r.reason, r.since, null::timestamptz, round(r.channels)::bigint
  from public.ingress_regions r where r.state <> 'healthy'
  union all
  select 'channels_lapsing', null, mode() within group (order by l.watch_error_code), null, min(l.expiration_time), count(*)
  from (
    select w.expiration_time, w.watch_error_code from public.calendar_webhooks w
    where w.watch_failures > 0 and w.is_active and w.paused_reason is null and w.duplicate_of is null
      and w.expiration_time > (select clock_timestamp())
      and w.expiration_time < (select clock_timestamp()) + make_interval(secs => p_hours * 3600)
    order by w.expiration_time limit 1000
  ) l
  having count(*) > 0
$$;

-- For the service alone.
revoke all on function
  public.report_ingress,
  public.read_ingress,
  public.record_ingress,
  public.sample_ingress,
  public.look_through_region,
  public.push_findings
from public, anon, authenticated;
grant execute on function
  public.report_ingress,
  public.read_ingress,
  public.record_ingress,
  public.sample_ingress,
  public.look_through_region,
  public.push_findings
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.report_ingress is 'What a process has counted since it last said so, by the address of the channels:
[{address, pushes, announced, missed, missing, looks}]. Sums: any number of processes say it side by side.';
comment on function public.read_ingress is 'All regions.';
comment on function public.record_ingress is 'Writes what was judged of the regions that are served (p_regions, columns by name), and forgets all others. starts_window: what
the judge has read of the counters is taken off; what came meanwhile stays.';
comment on function public.sample_ingress is 'How many channels each region has, and how many pushes a day they would bring, from a sample: p_limit calendars from p_from on,
and by their ids'' share of all ids how many there are of all. Of a calendar that was watched for a few days only little is
expected, for nobody knows yet. Once an hour, by one process. Answers how many calendars were seen.';
comment on function public.look_through_region is 'A region is silent: up to p_limit of its calendars, those that change most among some hundreds, are due now. What they find tells
whether its door is shut; all others wait for their own time. Answers how many.
Planned once by each connection: among very many calendars Postgres would plan each call anew.';
comment on function public.push_findings is 'What is wrong with push, for whoever alerts: one row per cause, however many calendars it concerns.
  region_sick, region_silent   a region''s door; calendars: its live channels, by the last sample
  channels_lapsing             renewals fail, and the channels lapse within p_hours, the first at lapses_at; calendars: counted
                               to 1000';
