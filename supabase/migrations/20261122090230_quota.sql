-- The quota that all processes share: requests leased in batches, what Google refused, and what an operator sees of it.
--
-- Google counts requests of the project, and of each user in it, over a sliding minute. A process leases some requests of a
-- lane at once and spends them within their life. What is leased is held against the quota until a minute after its end, so
-- that in no minute more is spent than the rate allows. Unspent ones are given back with the next call, or run out.

-- One row for the project, and one for each user of whom Google refused something lately. No foreign key: a lease must wait
-- for no lock of a user who is being deleted; their row goes an hour after it was last used.
create table if not exists public.google_quota (
  scope text primary key,
  most double precision not null,
  rate double precision not null,
  refused_rate double precision not null,
  shrunk_at timestamptz,
  refused_at timestamptz,
  blocked_until timestamptz,
  seen_at timestamptz not null default clock_timestamp()
);
comment on table public.google_quota is 'Requests a minute that Google takes, as refusals tell. For the service alone.';
comment on column public.google_quota.scope is 'project, or the id of a user.';
comment on column public.google_quota.most is 'Requests a minute that the settings allow.';
comment on column public.google_quota.rate is 'What it was lowered to when Google last refused; grows again from there.';
comment on column public.google_quota.refused_rate is 'What was in use when Google last refused.';
comment on column public.google_quota.shrunk_at is 'When the rate was last lowered; null: never.';
comment on column public.google_quota.refused_at is 'When Google last refused a request.';
comment on column public.google_quota.blocked_until is 'Until when Google asked to be left alone.';
comment on column public.google_quota.seen_at is 'When something of it was last leased or refused.';

create table if not exists public.google_quota_leases (
  scope text not null,
  lane text not null,
  ends_at timestamptz not null,
  leased integer not null default 0,
  asked integer not null default 0,
  primary key (scope, lane, ends_at)
);
comment on table public.google_quota_leases is
  'Requests leased to processes, by the five seconds in which their life ends. A minute later they are forgotten. For the service alone.';
comment on column public.google_quota_leases.scope is 'project, or the id of a user.';
comment on column public.google_quota_leases.lane is 'Whom they are for; of users: all.';
comment on column public.google_quota_leases.ends_at is 'Until when they may be spent.';
comment on column public.google_quota_leases.leased is 'How many, without those that were given back.';
comment on column public.google_quota_leases.asked is 'How many were asked for.';
create index if not exists google_quota_leases_ended on public.google_quota_leases (ends_at);

alter table public.google_quota enable row level security;
alter table public.google_quota_leases enable row level security;
revoke all on table public.google_quota, public.google_quota_leases from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.google_quota, public.google_quota_leases to service_role;

-- What of the rate each lane is sure of, in the order of their urgency.
create or replace function calendar_internal.quota_lanes() returns table (lane text, rank integer, share double precision)
language sql immutable security invoker set search_path = ''
as $$
  values ('person', 1, 0.10::double precision), ('notified', 2, 0.35), ('imminent', 3, 0.15), ('first', 4, 0.15),
    ('poll', 5, 0.20), ('audit', 6, 0.05)
$$;

-- Requests a minute now: a minute after it was lowered the rate grows by a tenth of what was refused, each minute; after five
-- more without a refusal also by a twentieth of the most, for then it was no limit of Google's.
create or replace function calendar_internal.quota_rate(
  p_quota public.google_quota, p_most double precision, p_now timestamptz
) returns double precision
language sql immutable security invoker set search_path = ''
as $$
  select case when p_quota.shrunk_at is null then p_most
    else least(p_most, p_quota.rate + p_quota.refused_rate * 0.1 * least(since.minutes, 5)
      + greatest(p_quota.refused_rate * 0.1, p_most * 0.05) * greatest(since.minutes - 5, 0)) end
  from (select greatest(0, extract(epoch from p_now - p_quota.shrunk_at)::double precision / 60 - 1) as minutes) since
$$;

-- A scope's row, locked; made if there is none.
create or replace function calendar_internal.hold_quota(p_scope text, p_most double precision) returns public.google_quota
language plpgsql security invoker set search_path = ''
as $$
declare
  v_quota public.google_quota;
begin
  insert into public.google_quota as q (scope, most, rate, refused_rate) values (p_scope, p_most, p_most, 0)
  on conflict (scope) do update set most = excluded.most, seen_at = clock_timestamp()
  returning q.* into v_quota;
  return v_quota;
end
$$;

-- Of one lane of the project: leases what is free for it, up to p_wanted, ending at p_ends_at, and answers how many. Of what
-- nobody has it may have its share, or one; and beyond that what others will not want: of a lane above is kept twice what it
-- asked for in the last minute and a quarter of its share, of one below twice what it asked for, of each its share at most. A
-- person's is theirs.
create or replace function calendar_internal.lease_lane(
  p_lane text, p_wanted integer, p_rate double precision, p_ends_at timestamptz
) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_used double precision;
  v_own double precision;
  v_share double precision;
  v_free double precision;
  v_leased integer;
begin
  with held as (
    select l.lane, sum(l.leased) as leased, sum(l.asked) as asked from public.google_quota_leases l
    where l.scope = 'project' group by l.lane
  ), lanes as (
    select k.lane, k.rank, k.share * p_rate as share, coalesce(h.leased, 0) as leased, coalesce(h.asked, 0) as asked,
      own.rank > k.rank as is_above
    from calendar_internal.quota_lanes() k
    join calendar_internal.quota_lanes() own on own.lane = p_lane
    left join held h on h.lane = k.lane
  )
  select sum(l.leased), sum(l.leased) filter (where l.lane = p_lane), sum(l.share) filter (where l.lane = p_lane),
    p_rate - sum(l.leased) - coalesce(sum(greatest(0, least(
      l.share, 2 * l.asked + case when l.is_above then l.share / 4 else 0 end) - l.leased)) filter (where l.lane <> p_lane), 0)
  into v_used, v_own, v_share, v_free
  from lanes l;
  v_free := case when p_lane = 'person' then p_wanted
    else greatest(v_free, least(greatest(v_share, 1) - v_own, p_rate - v_used)) end;
  v_leased := least(p_wanted, greatest(0, floor(v_free)))::integer;
  insert into public.google_quota_leases as l (scope, lane, ends_at, leased, asked)
  values ('project', p_lane, p_ends_at, v_leased, p_wanted)
  on conflict (scope, lane, ends_at) do update set leased = l.leased + excluded.leased, asked = l.asked + excluded.asked;
  return v_leased;
end
$$;

-- Of one user: leases up to p_wanted of their own quota, of which a fifth is left for what processes spend without asking.
-- Beyond their fair share of the project's (p_fair) they have a part only in its first three quarters (p_open).
create or replace function calendar_internal.lease_user(
  p_scope text, p_wanted integer, p_most double precision, p_ends_at timestamptz, p_fair double precision,
  p_open double precision, p_now timestamptz
) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_quota public.google_quota;
  v_used double precision;
  v_all double precision;
  v_leased integer := 0;
begin
  select * into v_quota from public.google_quota q where q.scope = p_scope;
  select coalesce(sum(l.leased) filter (where l.scope = p_scope), 0), coalesce(sum(l.leased), 0) into v_used, v_all
  from public.google_quota_leases l where l.scope <> 'project';
  if v_quota.blocked_until is null or v_quota.blocked_until <= p_now then
    v_leased := least(
      p_wanted, greatest(0, floor(greatest(1, calendar_internal.quota_rate(v_quota, p_most, p_now) * 0.8) - v_used)),
      greatest(0, ceil(p_fair - v_used), floor(p_open - v_all)))::integer;
  end if;
  insert into public.google_quota_leases as l (scope, lane, ends_at, leased, asked)
  values (p_scope, 'all', p_ends_at, v_leased, p_wanted)
  on conflict (scope, lane, ends_at) do update set leased = l.leased + excluded.leased, asked = l.asked + excluded.asked;
  return v_leased;
end
$$;

-- Leases requests for many at once, for one process: of each lane up to p_wanted ({lane: count}), most urgent first; of each
-- user up to p_users ({id: count}). What an earlier lease left unspent is given back first (p_returned: [{lane, ends_at,
-- count}]). p_most and p_user_most: requests a minute that the settings allow the project and a user.
-- Answers leased and users (as asked, with what was given; while little is used, somewhat more), life_seconds within which they
-- may be spent, ends_at (their name when given back), waits ({lane: seconds until asking again may help}, of those that got
-- nothing), user_waits, user_allowance (what a user may have a minute of this process without asking), slowed (users for whom
-- there is none: Google refused them lately), rate_per_minute.
-- Guarantee: in no minute more is spent than the rate, but for what persons wait for; calls are made one after the other.
create or replace function public.lease_google_quota(
  p_wanted jsonb, p_users jsonb, p_returned jsonb, p_most double precision, p_user_most double precision
) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_project public.google_quota := calendar_internal.hold_quota('project', p_most);
  v_now timestamptz := clock_timestamp();
  v_rate double precision := calendar_internal.quota_rate(v_project, p_most, v_now);
  v_blocked double precision := extract(epoch from v_project.blocked_until - v_now);
  v_used double precision;
  v_spare integer := 0;
  v_life double precision := 5;
  v_ends_at timestamptz;
  v_frees double precision;
  v_fair double precision;
  v_processes integer;
  v_lane record;
  v_user record;
  v_got integer;
  v_leased jsonb := '{}';
  v_waits jsonb := '{}';
  v_users jsonb := '{}';
  v_user_waits jsonb := '{}';
begin
  delete from public.google_quota_leases l where l.ends_at <= v_now - interval '1 minute';
  delete from public.google_quota q where q.seen_at < v_now - interval '1 hour' and q.scope <> 'project'
    and coalesce(q.blocked_until, v_now) <= v_now;
  update public.google_quota_leases l set leased = greatest(0, l.leased - r.count)
  from jsonb_to_recordset(p_returned) as r (lane text, ends_at timestamptz, count integer)
  where l.scope = 'project' and l.lane = r.lane and l.ends_at = r.ends_at;
  select coalesce(sum(l.leased), 0) into v_used from public.google_quota_leases l where l.scope = 'project';
  -- While little is used, a lease lasts longer and is larger than asked for: then it costs a call a minute.
  if v_used + (select coalesce(sum(w.value::integer), 0) from jsonb_each_text(p_wanted) w) + 20 <= v_rate / 4 then
    v_life := 60;
    v_spare := 10;
  end if;
  v_ends_at := to_timestamp(ceil(extract(epoch from v_now + make_interval(secs => v_life)) / 5) * 5);
  for v_lane in
    select k.lane, k.rank, least((p_wanted ->> k.lane)::integer, 1000) as wanted from calendar_internal.quota_lanes() k
    where p_wanted ? k.lane order by k.rank
  loop
    v_got := case when v_blocked > 0 then 0
      else calendar_internal.lease_lane(v_lane.lane, greatest(v_lane.wanted, v_spare), v_rate, v_ends_at) end;
    v_leased := v_leased || jsonb_build_object(v_lane.lane, v_got);
    if v_got = 0 then
      v_frees := coalesce(v_frees, (
        select extract(epoch from min(l.ends_at) + interval '1 minute' - v_now) from public.google_quota_leases l
        where l.scope = 'project' and l.leased > 0));
      -- Others may give back before: the more urgent, the sooner it is worth asking.
      v_waits := v_waits || jsonb_build_object(v_lane.lane, case when v_blocked > 0 then v_blocked
        else greatest(0.5, least(v_frees, v_lane.rank * 3)) end);
    end if;
  end loop;
  select coalesce(sum(l.leased), 0) into v_used from public.google_quota_leases l where l.scope = 'project';
  select v_rate / count(*) into v_fair from (
    select l.scope from public.google_quota_leases l where l.scope <> 'project'
    union select u.key from jsonb_each(p_users) u) users
  having count(*) > 0;
  -- Who had the least comes first.
  for v_user in
    select u.key as scope, least(u.value::integer, 1000) as wanted from jsonb_each_text(p_users) u
    left join public.google_quota_leases l on l.scope = u.key
    group by u.key, u.value order by coalesce(sum(l.leased), 0), u.key
  loop
    v_got := calendar_internal.lease_user(
      v_user.scope, v_user.wanted, p_user_most, v_ends_at, v_fair, v_rate * 0.75, v_now);
    v_users := v_users || jsonb_build_object(v_user.scope, v_got);
    if v_got = 0 then
      v_user_waits := v_user_waits || jsonb_build_object(v_user.scope, coalesce((
        select greatest(0.5, extract(epoch from q.blocked_until - v_now)) from public.google_quota q
        where q.scope = v_user.scope and q.blocked_until > v_now), (
        select least(30, greatest(1, extract(epoch from min(l.ends_at) + interval '1 minute' - v_now)))
        from public.google_quota_leases l where l.scope = v_user.scope and l.leased > 0), 5));
    end if;
  end loop;
  select count(*)::integer into v_processes from public.service_processes p where p.seen_at > v_now - interval '90 seconds';
  return jsonb_build_object(
    'leased', v_leased, 'users', v_users, 'life_seconds', v_life, 'ends_at', v_ends_at, 'waits', v_waits,
    'user_waits', v_user_waits, 'rate_per_minute', v_rate,
    'user_allowance', case when v_used > v_rate / 2 then 0 else floor(p_user_most * 0.1 / greatest(v_processes, 1)) end,
    'slowed', (
      select coalesce(jsonb_agg(s.scope), '[]') from (
        select q.scope from public.google_quota q
        where q.scope <> 'project' and (q.blocked_until > v_now or q.shrunk_at > v_now - interval '10 minutes')
        order by q.seen_at desc limit 500) s));
end
$$;

-- Lowers a scope's rate, once in a minute however often it is refused: to seven tenths of what was in use.
create or replace function calendar_internal.shrink_quota(
  p_quota public.google_quota, p_most double precision, p_retry_after_seconds double precision, p_now timestamptz
) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_least double precision := greatest(1, p_most / 1000);
  v_used double precision;
begin
  if p_quota.shrunk_at is null or p_quota.shrunk_at <= p_now - interval '1 minute' then
    select coalesce(sum(l.leased), 0) into v_used from public.google_quota_leases l where l.scope = p_quota.scope;
    -- Of a user whose requests were spent without asking nothing is leased: then the rate is what it was.
    v_used := least(calendar_internal.quota_rate(p_quota, p_most, p_now), case when v_used < v_least then p_most else v_used end);
    update public.google_quota q set
      rate = greatest(v_least, v_used * 0.7), refused_rate = greatest(v_least, v_used), shrunk_at = p_now
    where q.scope = p_quota.scope;
  end if;
  update public.google_quota q set
    refused_at = p_now,
    blocked_until = greatest(q.blocked_until, p_now + make_interval(secs => p_retry_after_seconds))
  where q.scope = p_quota.scope;
end
$$;

-- Google refused a request of a user for want of quota. p_whose: user, project, or either (it did not say: then it is the
-- user's, until a second user meets the same within a minute). The rate goes down at once, and Retry-After holds for as
-- many as were meant. Answers {whose}: user or project, as it was taken.
create or replace function public.report_google_refusal(
  p_user_id uuid, p_whose text, p_retry_after_seconds double precision, p_most double precision, p_user_most double precision
) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_project public.google_quota := calendar_internal.hold_quota('project', p_most);
  v_user public.google_quota := calendar_internal.hold_quota(p_user_id::text, p_user_most);
  v_now timestamptz := clock_timestamp();
  -- A wish longer than this is asked about again.
  v_retry_after double precision := least(greatest(p_retry_after_seconds, 0), 3600);
begin
  if p_whose = 'project' or p_whose = 'either' and exists (
    select 1 from public.google_quota q
    where q.scope not in ('project', p_user_id::text) and q.refused_at > v_now - interval '1 minute')
  then
    perform calendar_internal.shrink_quota(v_project, p_most, v_retry_after, v_now);
    return jsonb_build_object('whose', 'project');
  end if;
  perform calendar_internal.shrink_quota(v_user, p_user_most, v_retry_after, v_now);
  return jsonb_build_object('whose', 'user');
end
$$;

-- The quota as it stands, for operators; one row, whatever there is. Requests a minute: rate_per_minute is leased at most
-- now, of the most_per_minute that the settings allow; used_this_minute is held against it (leased, or spent within the last
-- minute), by lane too. blocked_until: Google asked the project to pause; shrunk_at: when the rate was last lowered;
-- users_slowed: users whose own quota Google refused lately. In Google's day: requests that it refused (refused_today),
-- times that work was put off because none was to be had (waited_today), requests answered 2xx, which it bills
-- (billable_today), those of polls, and the month's. As forecast at forecast_at: billable requests by the end of the day and
-- of the month, and in how many days what is free today is used up (null: not today).
create or replace function public.google_quota_status() returns table (
  rate_per_minute double precision, most_per_minute double precision, used_this_minute bigint, used_by_lane jsonb,
  blocked_until timestamptz, shrunk_at timestamptz, users_slowed bigint,
  refused_today double precision, waited_today double precision, billable_today double precision, polls_today double precision,
  billable_this_month double precision,
  forecast_today double precision, forecast_month double precision, exhausted_in_days double precision,
  price_seconds double precision, forecast_at timestamptz
)
language sql stable security invoker set search_path = ''
as $$
  select
    calendar_internal.quota_rate(q, q.most, clock_timestamp()), q.most, coalesce(l.used, 0)::bigint, coalesce(l.lanes, '{}'),
    q.blocked_until, q.shrunk_at,
    (select count(*) from public.google_quota u where u.scope <> 'project'
      and (u.blocked_until > clock_timestamp() or u.shrunk_at > clock_timestamp() - interval '10 minutes')),
    coalesce(d.refused, 0), coalesce(d.waited, 0), coalesce(d.requests, 0), coalesce(d.polls, 0),
    (select coalesce(sum(m.requests), 0) from public.google_requests m
      where m.project = 'all' and m.day between date_trunc('month', t.day)::date and t.day),
    p.forecast_today, p.forecast_month, p.exhausted_in_days, p.price_seconds, p.priced_at
  from (select (clock_timestamp() at time zone 'America/Los_Angeles')::date as day) t
  left join public.google_quota q on q.scope = 'project'
  left join public.google_requests d on d.project = 'all' and d.day = t.day
  left join public.polling_plan p on p.name = 'all'
  left join lateral (
    select sum(g.leased) as used, jsonb_object_agg(g.lane, g.leased) as lanes from (
      select k.lane, sum(k.leased) as leased from public.google_quota_leases k
      where k.scope = 'project' and k.ends_at > clock_timestamp() - interval '1 minute' group by k.lane) g) l on true
$$;

-- For the service alone.
revoke all on function
  calendar_internal.quota_lanes,
  calendar_internal.quota_rate,
  calendar_internal.hold_quota,
  calendar_internal.lease_lane,
  calendar_internal.lease_user,
  calendar_internal.shrink_quota,
  public.lease_google_quota,
  public.report_google_refusal,
  public.google_quota_status
from public, anon, authenticated;
grant execute on function
  calendar_internal.quota_lanes,
  calendar_internal.quota_rate,
  calendar_internal.hold_quota,
  calendar_internal.lease_lane,
  calendar_internal.lease_user,
  calendar_internal.shrink_quota,
  public.lease_google_quota,
  public.report_google_refusal,
  public.google_quota_status
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.quota_lanes is 'What of the rate each lane is sure of, in the order of their urgency.';
comment on function calendar_internal.quota_rate is 'Requests a minute now: a minute after it was lowered the rate grows by a tenth of what was refused, each minute; after five
more without a refusal also by a twentieth of the most, for then it was no limit of Google''s.';
comment on function calendar_internal.hold_quota is 'A scope''s row, locked; made if there is none.';
comment on function calendar_internal.lease_lane is 'Of one lane of the project: leases what is free for it, up to p_wanted, ending at p_ends_at, and answers how many. Of what
nobody has it may have its share, or one; and beyond that what others will not want: of a lane above is kept twice what it
asked for in the last minute and a quarter of its share, of one below twice what it asked for, of each its share at most. A
person''s is theirs.';
comment on function calendar_internal.lease_user is 'Of one user: leases up to p_wanted of their own quota, of which a fifth is left for what processes spend without asking.
Beyond their fair share of the project''s (p_fair) they have a part only in its first three quarters (p_open).';
comment on function public.lease_google_quota is 'Leases requests for many at once, for one process: of each lane up to p_wanted ({lane: count}), most urgent first; of each
user up to p_users ({id: count}). What an earlier lease left unspent is given back first (p_returned: [{lane, ends_at,
count}]). p_most and p_user_most: requests a minute that the settings allow the project and a user.
Answers leased and users (as asked, with what was given; while little is used, somewhat more), life_seconds within which they
may be spent, ends_at (their name when given back), waits ({lane: seconds until asking again may help}, of those that got
nothing), user_waits, user_allowance (what a user may have a minute of this process without asking), slowed (users for whom
there is none: Google refused them lately), rate_per_minute.
Guarantee: in no minute more is spent than the rate, but for what persons wait for; calls are made one after the other.';
comment on function calendar_internal.shrink_quota is 'Lowers a scope''s rate, once in a minute however often it is refused: to seven tenths of what was in use.';
comment on function public.report_google_refusal is 'Google refused a request of a user for want of quota. p_whose: user, project, or either (it did not say: then it is the
user''s, until a second user meets the same within a minute). The rate goes down at once, and Retry-After holds for as
many as were meant. Answers {whose}: user or project, as it was taken.';
comment on function public.google_quota_status is 'The quota as it stands, for operators; one row, whatever there is. Requests a minute: rate_per_minute is leased at most
now, of the most_per_minute that the settings allow; used_this_minute is held against it (leased, or spent within the last
minute), by lane too. blocked_until: Google asked the project to pause; shrunk_at: when the rate was last lowered;
users_slowed: users whose own quota Google refused lately. In Google''s day: requests that it refused (refused_today),
times that work was put off because none was to be had (waited_today), requests answered 2xx, which it bills
(billable_today), those of polls, and the month''s. As forecast at forecast_at: billable requests by the end of the day and
of the month, and in how many days what is free today is used up (null: not today).';
