-- Polling: what all calendars together tell, what a poll may cost, and what was spent.
--
-- What is believed of one calendar stands in its row and is written by its commit. What is common to all stands here: one row,
-- read by every process now and then, never on the way of a sync.

create table if not exists public.polling_plan (
  name text primary key,
  price_seconds double precision,
  calls_per_day double precision,
  forecast_today double precision,
  forecast_month double precision,
  exhausted_in_days double precision,
  rated integer not null default 0,
  rates double precision not null default 0,
  rate_squares double precision not null default 0,
  good integer not null default 0,
  poor integer not null default 0,
  announced double precision not null default 0,
  missed double precision not null default 0,
  deaths double precision not null default 0,
  channel_days double precision not null default 0,
  rhythm_changes double precision[] not null default array_fill(0::double precision, array[48]),
  rhythm_hours double precision[] not null default array_fill(0::double precision, array[48]),
  polls_counted double precision not null default 0,
  polls_priced double precision not null default 0,
  priced_at timestamptz,
  counted_at timestamptz
);
comment on table public.polling_plan is
  'What all calendars together tell, and what a poll may cost. One row. For the service alone.';
comment on column public.polling_plan.name is 'all: there is no other.';
comment on column public.polling_plan.price_seconds is 'Staleness that a poll must save to be made; null: not priced yet.';
comment on column public.polling_plan.calls_per_day is 'Polls a day that Google answered, averaged over a day.';
comment on column public.polling_plan.forecast_today is 'Billable requests by the end of Google''s day, as last forecast.';
comment on column public.polling_plan.forecast_month is 'Billable requests by the end of its month.';
comment on column public.polling_plan.exhausted_in_days is 'Until what is free that day is used up; null: not that day.';
comment on column public.polling_plan.rated is 'Calendars whose rate of change counts.';
comment on column public.polling_plan.rates is 'The sum of their changes a day.';
comment on column public.polling_plan.rate_squares is 'The sum of those squared.';
comment on column public.polling_plan.good is 'Calendars of whose changes push announces most.';
comment on column public.polling_plan.poor is 'Calendars of whose changes it does not.';
comment on column public.polling_plan.announced is 'Changes of the good ones that were announced.';
comment on column public.polling_plan.missed is 'Changes of the good ones that were not.';
comment on column public.polling_plan.deaths is 'Channels that died unheard, as far as believed; fades.';
comment on column public.polling_plan.channel_days is 'Days in which channels were seen to live; fades.';
comment on column public.polling_plan.rhythm_changes is 'Changes in each hour of a working day, then of a day at the weekend; fades.';
comment on column public.polling_plan.rhythm_hours is 'Hours in which calendars were watched, likewise.';
comment on column public.polling_plan.polls_counted is 'Polls that Google answered, ever.';
comment on column public.polling_plan.polls_priced is 'Of these, what the price has followed.';
comment on column public.polling_plan.priced_at is 'When the price last followed what was spent.';
comment on column public.polling_plan.counted_at is 'When the calendars were last counted.';

-- What Google counts, by its day, which ends at midnight in California.
create table if not exists public.google_requests (
  project text not null,
  day date not null,
  polls double precision not null default 0,
  requests double precision not null default 0,
  refused double precision not null default 0,
  waited double precision not null default 0,
  primary key (project, day)
);
comment on table public.google_requests is 'Requests that Google answered with 2xx, and bills, by its day. For the service alone.';
comment on column public.google_requests.project is 'all: there is no other.';
comment on column public.google_requests.day is 'The day in California.';
comment on column public.google_requests.polls is 'Those of polls.';
comment on column public.google_requests.requests is 'All of them.';
comment on column public.google_requests.refused is 'Requests that Google refused for want of quota: not billed.';
comment on column public.google_requests.waited is 'Times that work was put off because no request was to be had.';

alter table public.polling_plan enable row level security;
alter table public.google_requests enable row level security;
revoke all on table public.polling_plan, public.google_requests from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.polling_plan, public.google_requests to service_role;

-- What a process has counted since it last said so. Elementwise sums: any number of processes say it side by side.
create or replace function public.report_polling(
  p_day date, p_polls double precision, p_requests double precision, p_refused double precision,
  p_waited double precision, p_deaths double precision, p_channel_days double precision, p_changes double precision[], p_hours double precision[]
) returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  insert into public.google_requests as g (project, day, polls, requests, refused, waited)
  values ('all', p_day, p_polls, p_requests, p_refused, p_waited)
  on conflict (project, day) do update set polls = g.polls + excluded.polls, requests = g.requests + excluded.requests,
    refused = g.refused + excluded.refused, waited = g.waited + excluded.waited;
  insert into public.polling_plan (name) values ('all') on conflict (name) do nothing;
  update public.polling_plan p set
    polls_counted = p.polls_counted + p_polls,
    deaths = p.deaths + p_deaths, channel_days = p.channel_days + p_channel_days,
    rhythm_changes = (
      select array_agg(a.had + b.more order by a.n)
      from unnest(p.rhythm_changes) with ordinality a(had, n) join unnest(p_changes) with ordinality b(more, n) on a.n = b.n),
    rhythm_hours = (
      select array_agg(a.had + b.more order by a.n)
      from unnest(p.rhythm_hours) with ordinality a(had, n) join unnest(p_hours) with ordinality b(more, n) on a.n = b.n)
  where p.name = 'all' and cardinality(p_changes) = 48 and cardinality(p_hours) = 48;
end
$$;
comment on function public.report_polling is 'A process says what it has counted since it last said so.';

-- The one row, and what Google counted today and this month.
create or replace function public.read_polling_plan(p_day date)
returns table (
  plan jsonb, polls_today double precision, requests_today double precision, requests_this_month double precision,
  requests_yesterday double precision
)
language sql stable security invoker set search_path = ''
as $$
  select (select to_jsonb(p) from public.polling_plan p where p.name = 'all'),
    coalesce((select g.polls from public.google_requests g where g.project = 'all' and g.day = p_day), 0),
    coalesce((select g.requests from public.google_requests g where g.project = 'all' and g.day = p_day), 0),
    coalesce((
      select sum(g.requests) from public.google_requests g where g.project = 'all' and g.day between date_trunc('month', p_day)::date and p_day), 0),
    (select g.requests from public.google_requests g where g.project = 'all' and g.day = p_day - 1)
$$;
comment on function public.read_polling_plan is 'What holds for all calendars, and what was spent.';

-- The price that follows what was spent until p_polls_priced, and what is forecast of Google's day and month.
create or replace function public.price_polling(
  p_price_seconds double precision, p_calls_per_day double precision, p_polls_priced double precision,
  p_forecast_today double precision, p_forecast_month double precision, p_exhausted_in_days double precision
) returns void
language sql security invoker set search_path = ''
as $$
  insert into public.polling_plan as p (
    name, price_seconds, calls_per_day, polls_priced, priced_at, forecast_today, forecast_month, exhausted_in_days)
  values ('all', p_price_seconds, p_calls_per_day, p_polls_priced, clock_timestamp(), p_forecast_today, p_forecast_month,
    p_exhausted_in_days)
  on conflict (name) do update set price_seconds = excluded.price_seconds, calls_per_day = excluded.calls_per_day,
    polls_priced = excluded.polls_priced, priced_at = excluded.priced_at, forecast_today = excluded.forecast_today,
    forecast_month = excluded.forecast_month, exhausted_in_days = excluded.exhausted_in_days
$$;
comment on function public.price_polling is 'Sets the price of a poll, for all processes, and what is forecast.';

-- Counts the calendars from p_from on, p_limit of them at most, as a sample of all: what a new one is believed to be. What was
-- counted of channels and hours fades by p_fading. Once an hour, by one process.
-- Planned once by each connection: among very many calendars Postgres would plan each step anew, for half of its time.
create or replace function public.count_calendars(
  p_from uuid, p_limit integer, p_least_days double precision, p_least_changes double precision,
  p_poor_recall double precision, p_fading double precision
) returns integer
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_seen integer;
begin
  insert into public.polling_plan (name) values ('all') on conflict (name) do nothing;
  with sample as materialized (
    select w.belief_changes / nullif(w.belief_change_days, 0) as rate, w.belief_change_days >= p_least_days as is_rated,
      w.belief_announced as announced, w.belief_missed as missed,
      w.belief_announced + w.belief_missed >= p_least_changes as is_judged,
      w.belief_announced < p_poor_recall * (w.belief_announced + w.belief_missed) as is_poor
    from public.calendar_webhooks w
    where w.id >= p_from and w.is_active and w.duplicate_of is null
    order by w.id limit least(greatest(p_limit, 0), 50000)
  ), counted as (
    select count(*)::integer as seen,
      (count(*) filter (where s.is_rated))::integer as rated,
      coalesce(sum(s.rate) filter (where s.is_rated), 0) as rates,
      coalesce(sum(s.rate ^ 2) filter (where s.is_rated), 0) as rate_squares,
      (count(*) filter (where s.is_judged and not s.is_poor))::integer as good,
      (count(*) filter (where s.is_judged and s.is_poor))::integer as poor,
      coalesce(sum(s.announced) filter (where s.is_judged and not s.is_poor), 0) as announced,
      coalesce(sum(s.missed) filter (where s.is_judged and not s.is_poor), 0) as missed
    from sample s
  ), kept as (
    update public.polling_plan p set
      rated = c.rated, rates = c.rates, rate_squares = c.rate_squares, good = c.good, poor = c.poor,
      announced = c.announced, missed = c.missed,
      deaths = p.deaths * p_fading, channel_days = p.channel_days * p_fading,
      rhythm_changes = (select array_agg(h * p_fading order by n) from unnest(p.rhythm_changes) with ordinality a(h, n)),
      rhythm_hours = (select array_agg(h * p_fading order by n) from unnest(p.rhythm_hours) with ordinality a(h, n)),
      counted_at = clock_timestamp()
    from counted c
    where p.name = 'all' and c.seen > 0
    returning c.seen
  )
  select k.seen into v_seen from kept k;
  return coalesce(v_seen, 0);
end
$$;

-- Polls that have been due for p_late_seconds, counted to p_limit: an outage's backlog.
-- Planned once by each connection: planning would cost more than the call does where nothing is late.
create or replace function public.count_late_polls(p_late_seconds double precision, p_limit integer) returns integer
language sql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
  select count(*)::integer from (
    select 1
    from unnest(array['imminent', 'poll']) as l (lane) cross join lateral (
      select 1 from public.calendar_queue q
      where q.lane = l.lane and q.due_at < (select clock_timestamp()) - make_interval(secs => p_late_seconds)
      order by q.due_at limit greatest(p_limit, 0)) e
    limit greatest(p_limit, 0)) late
$$;

-- Puts p_limit of those off that only waited for their own time, evenly over p_over_seconds from now. Answers how many. Whatever
-- somebody waits for stays due: a look before a meeting, a probe, a retry. Of what is late the first p_limit times ten are seen.
-- Guarantee: waits for nobody, and shortens no backoff.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.spread_late_polls(
  p_late_seconds double precision, p_over_seconds double precision, p_limit integer
) returns integer
language sql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
  with late as materialized (
    select w.id
    from (
      select q.calendar_id, q.due_at from public.calendar_queue q
      where q.lane = 'poll' and q.due_at < (select clock_timestamp()) - make_interval(secs => p_late_seconds)
      order by q.due_at limit 10 * least(greatest(p_limit, 0), 5000)) seen
    join public.calendar_webhooks w on w.id = seen.calendar_id
    -- Once it is locked: still as the queue said.
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.notifications_seen <= w.notifications_synced
      and w.sync_token is not null
      and w.due_at < (select clock_timestamp()) - make_interval(secs => p_late_seconds)
      and w.due_reason in ('poll_interval', 'recent_notification', 'channel_lapses') and w.consecutive_failures = 0
      and (w.lease_expires_at is null or w.lease_expires_at <= (select clock_timestamp()))
    order by seen.due_at limit least(greatest(p_limit, 0), 5000)
    for no key update of w skip locked
  ), placed as (
    select l.id, (row_number() over () - 0.5) / count(*) over () as place from late l
  ), put_off as (
    update public.calendar_webhooks w set
      due_at = greatest(clock_timestamp() + make_interval(secs => p_over_seconds * placed.place), w.not_before)
    from placed where w.id = placed.id
    returning 1
  )
  select count(*)::integer from put_off
$$;

-- For the service alone.
revoke all on function public.report_polling, public.read_polling_plan, public.price_polling, public.count_calendars,
  public.count_late_polls, public.spread_late_polls
from public, anon, authenticated;
grant execute on function public.report_polling, public.read_polling_plan, public.price_polling, public.count_calendars,
  public.count_late_polls, public.spread_late_polls
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.count_calendars is 'Counts the calendars from p_from on, p_limit of them at most, as a sample of all: what a new one is believed to be. What was
counted of channels and hours fades by p_fading. Once an hour, by one process.
Planned once by each connection: among very many calendars Postgres would plan each step anew, for half of its time.';
comment on function public.count_late_polls is 'Polls that have been due for p_late_seconds, counted to p_limit: an outage''s backlog.
Planned once by each connection: planning would cost more than the call does where nothing is late.';
comment on function public.spread_late_polls is 'Puts p_limit of those off that only waited for their own time, evenly over p_over_seconds from now. Answers how many. Whatever
somebody waits for stays due: a look before a meeting, a probe, a retry. Of what is late the first p_limit times ten are seen.
Guarantee: waits for nobody, and shortens no backoff.
Planned once by each connection: planning would cost more than the call does where nothing is due.';
