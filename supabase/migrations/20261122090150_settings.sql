-- Settings in force: what changes the meaning of rows is a fact of the database, not of each process.
--
-- Every process is configured by its own environment; while a setting is changed, or by mistake, two may differ. They all
-- work under the meaning in force, so that no row flips between two of them. It only moves forward, a generation at a time,
-- and each generation has every calendar listed whole once.

create table if not exists public.settings_generations (
  generation bigint primary key,
  meaning jsonb not null,
  declared_by text not null,
  declared_at timestamptz not null default now()
);
comment on table public.settings_generations is
  'What settings make of rows, as a fact of this database that only moves forward. For the service alone.';
comment on column public.settings_generations.generation is 'Grows with every change.';
comment on column public.settings_generations.meaning is 'hide_private, horizon_past_days, horizon_future_days, sync_format.';
comment on column public.settings_generations.declared_by is 'The process that declared it.';
comment on column public.settings_generations.declared_at is 'When.';

create table if not exists public.service_processes (
  worker_name text primary key,
  meaning jsonb not null,
  seen_at timestamptz not null default now()
);
comment on table public.service_processes is 'The processes seen lately, and the meaning each is configured with. For the service alone.';
comment on column public.service_processes.worker_name is 'The process.';
comment on column public.service_processes.meaning is 'What its settings would make of rows.';
comment on column public.service_processes.seen_at is 'When it last spoke.';

create table if not exists public.service_breakers (
  worker_name text not null,
  upstream text not null,
  state text not null check (state in ('closed', 'open')),
  since timestamptz not null,
  error_code text,
  times_opened bigint not null,
  primary key (worker_name, upstream)
);
comment on table public.service_breakers is
  'Which upstream answers a process, or does not: a row from its first outage on. For the service alone.';
comment on column public.service_breakers.worker_name is 'The process (service_processes).';
comment on column public.service_breakers.upstream is 'google_api, token_endpoint, database, sign_in_keys, or bots_ and the provider.';
comment on column public.service_breakers.state is 'open: nothing is sent but probes.';
comment on column public.service_breakers.since is 'By the process'' clock.';
comment on column public.service_breakers.error_code is 'Of the failure that opened it last.';
comment on column public.service_breakers.times_opened is 'Outages since the process began.';

alter table public.settings_generations enable row level security;
alter table public.service_breakers enable row level security;
alter table public.service_processes enable row level security;
revoke all on table public.settings_generations, public.service_processes, public.service_breakers
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on table
  public.settings_generations, public.service_processes, public.service_breakers
to service_role;

-- What a process is configured to mean, said at its start and every half a minute; answers what is in force.
-- A meaning never seen before takes force at once. A former one (a replica left over from before, or an operator who
-- changes their mind) does so once no live process is configured with the one in force.
-- Guarantee: generations only grow; a repeated call changes nothing.
create or replace function public.declare_settings(p_worker text, p_meaning jsonb)
returns table (generation bigint, meaning jsonb)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_current public.settings_generations;
begin
  insert into public.service_processes as p (worker_name, meaning, seen_at)
  values (p_worker, p_meaning, clock_timestamp())
  on conflict (worker_name) do update set meaning = excluded.meaning, seen_at = excluded.seen_at;

  select * into v_current from public.settings_generations g order by g.generation desc limit 1;
  if v_current.meaning is distinct from p_meaning then
    -- One at a time: two processes that start together make two generations, not one twice.
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('settings_generations'));
    select * into v_current from public.settings_generations g order by g.generation desc limit 1;
    if v_current.meaning is distinct from p_meaning and (
      not exists (select 1 from public.settings_generations g where g.meaning = p_meaning)
      or not exists (
        select 1 from public.service_processes p
        where p.meaning = v_current.meaning and p.seen_at > clock_timestamp() - interval '90 seconds'))
    then
      insert into public.settings_generations (generation, meaning, declared_by)
      values (coalesce(v_current.generation, 0) + 1, p_meaning, p_worker)
      returning * into v_current;
      delete from public.service_processes p where p.seen_at < clock_timestamp() - interval '1 day';
    end if;
  end if;
  return query select v_current.generation, v_current.meaning;
end
$$;
comment on function public.declare_settings is
  'A process says what it is configured to mean, and learns what is in force.';

-- Whether work done under a generation came too late: another one is in force.
create or replace function calendar_internal.is_outdated(p_generation bigint) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select coalesce(p_generation, 0) <> coalesce((select max(g.generation) from public.settings_generations g), 0)
$$;
comment on function calendar_internal.is_outdated is 'Whether another generation of the settings is in force.';

-- Whether a process runs code that keeps other things of an event than the one in force: it cannot work as is meant now, so
-- it is given no work.
create or replace function calendar_internal.is_of_other_code(p_worker text) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (
    select 1 from public.service_processes p
    where p.worker_name = p_worker and p.meaning -> 'sync_format' is distinct from (
      select g.meaning -> 'sync_format' from public.settings_generations g order by g.generation desc limit 1))
$$;
comment on function calendar_internal.is_of_other_code is
  'Whether a process runs code of another sync format than the one in force.';

-- A process says which breakers of its have opened or closed: [{upstream, state, since, error_code, times_opened}]. Those of
-- processes that have not been seen for a day are forgotten. A repeated call changes nothing.
create or replace function public.report_breakers(p_worker text, p_breakers jsonb) returns void
language sql security invoker set search_path = ''
as $$
  delete from public.service_breakers b
  where b.worker_name <> p_worker and not exists (
    select 1 from public.service_processes p
    where p.worker_name = b.worker_name and p.seen_at > clock_timestamp() - interval '1 day');
  insert into public.service_breakers (worker_name, upstream, state, since, error_code, times_opened)
  select p_worker, r.upstream, r.state, r.since, r.error_code, r.times_opened
  from jsonb_to_recordset(p_breakers)
    as r (upstream text, state text, since timestamptz, error_code text, times_opened bigint)
  on conflict (worker_name, upstream) do update set
    state = excluded.state, since = excluded.since, error_code = excluded.error_code, times_opened = excluded.times_opened
$$;
comment on function public.report_breakers is 'A process says which breakers of its have opened or closed.';

-- The outages of now: upstreams that do not answer processes which are alive, how many of them, and since when at the earliest.
create or replace function public.outages()
returns table (upstream text, processes bigint, since timestamptz, error_code text)
language sql stable security invoker set search_path = ''
as $$
  select b.upstream, count(*), min(b.since), min(b.error_code)
  from public.service_breakers b join public.service_processes p on p.worker_name = b.worker_name
  where b.state = 'open' and p.seen_at > clock_timestamp() - interval '2 minutes'
  group by b.upstream order by b.upstream
$$;
comment on function public.outages is 'Upstreams that do not answer living processes now.';

-- For the service alone.
revoke all on function
  public.declare_settings,
  public.report_breakers,
  public.outages,
  calendar_internal.is_outdated,
  calendar_internal.is_of_other_code
from public, anon, authenticated;
grant execute on function
  public.declare_settings,
  public.report_breakers,
  public.outages,
  calendar_internal.is_outdated,
  calendar_internal.is_of_other_code
to service_role;
