-- Watching: the push channels.

-- Push channels ------------------------------------------------------------------------------------------------------

-- Push channels: opened before they are needed, made current in one step, stopped with their own resource id.
--
--   opening -> live -> superseded -> stopped      the usual life; a renewal overlaps by design
--   opening -> failed                             Google refused, or its answer was lost
--   failed  -> live                               its answer was lost, and it speaks: only its own notification tells its
--                                                 resource id. It is adopted, or stopped where another one is live
--   live -> expired                               nobody renewed it in time; polling goes on
-- A calendar's watch never touches its polling.

-- When a watch next needs work: its lead before its channel lapses, at once without a channel, and never within its lease or its
-- backoff. A trigger, so that it holds whoever writes: an operator too, who sets expiration_time to now.
create or replace function calendar_internal.keep_watch_due() returns trigger
language plpgsql security invoker set search_path = ''
as $$
begin
  new.watch_due_at := coalesce(
    greatest(new.expiration_time - make_interval(secs => new.watch_lead_seconds), new.watch_retry_at), 'epoch');
  return new;
end
$$;
comment on function calendar_internal.keep_watch_due is 'Keeps calendar_webhooks.watch_due_at true to what it is made of.';

drop trigger if exists keep_watch_due on public.calendar_webhooks;
create trigger keep_watch_due
  before insert or update of expiration_time, watch_lead_seconds, watch_retry_at on public.calendar_webhooks
  for each row execute function calendar_internal.keep_watch_due();
comment on trigger keep_watch_due on public.calendar_webhooks is 'Keeps watch_due_at true to what it is made of.';

-- Leases up to p_limit calendars whose watch is due: its channel lapses soon, or it has none. watch_retry_at is the lease and,
-- after a failure, the backoff.
-- Planned once by each connection: planning would cost more than the call does where nothing is due. Named ones are planned
-- for: the kept plan would look for them among all that is due, after an outage of a million for seconds.
create or replace function public.claim_expiring_watches(
  p_limit integer, p_lease_seconds integer, p_calendar_ids uuid[] default null
) returns table (
  calendar_id uuid, user_id uuid, google_calendar_id text, watch_failures integer,
  access_token text, access_token_expires_at timestamptz, refresh_token text,
  connected_at timestamptz, refresh_token_expires_at timestamptz
)
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  if p_calendar_ids is not null then
    perform pg_catalog.set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  return query
  -- Materialized: inside a nested loop the limit would be counted anew for every row.
  with picked as materialized (
    select c.id from public.calendar_webhooks c
    where c.is_active and c.paused_reason is null and c.duplicate_of is null and c.retired_at is null
      and c.watch_due_at <= v_now
      and (p_calendar_ids is null or c.id = any (p_calendar_ids))
    order by c.watch_due_at
    limit least(greatest(p_limit, 0), 200)
    for no key update skip locked
  ), claimed as (
    update public.calendar_webhooks w set watch_retry_at = v_now + make_interval(secs => p_lease_seconds)
    from picked where w.id = picked.id
    returning w.*
  )
  select w.id, w.user_id, w.google_calendar_id, w.watch_failures,
    g.access_token, g.access_token_expires_at, g.refresh_token, g.status_at, g.refresh_token_expires_at
  from claimed w
  left join public.google_credentials g on g.user_id = w.user_id and g.status = 'connected';
end
$$;

-- Gives claimed watches back that nobody got to: they are due at once.
create or replace function public.release_watches(p_calendar_ids uuid[]) returns void
language sql security invoker set search_path = ''
as $$
  update public.calendar_webhooks w set watch_retry_at = null
  from (
    select c.id from public.calendar_webhooks c
    where c.id = any (p_calendar_ids) and calendar_internal.hold_free_user(c.user_id) order by c.id for no key update
  ) claimed
  where w.id = claimed.id
$$;
comment on function public.release_watches is 'Gives claims of watches back that their process did not get to.';

-- How many watches claim_expiring_watches would find (counted to 1000): what a renewal leaves behind.
create or replace function public.watches_due() returns bigint
language sql security invoker set search_path = ''
as $$
  select count(*) from (
    select 1 from public.calendar_webhooks c
    where c.is_active and c.paused_reason is null and c.duplicate_of is null and c.retired_at is null
      -- A scalar: only then it is a bound of the index.
      and c.watch_due_at <= (select clock_timestamp())
    limit 1000) due
$$;

-- The service has another address: up to p_limit calendars whose channel points to none of p_addresses have their watch due in
-- p_delay_seconds, each channel once. Answers how many.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.renew_moved_watches(
  p_addresses text[], p_delay_seconds double precision, p_limit integer
) returns integer
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
begin
  -- From address to address by the index: there are few, and hundreds of thousands of channels.
  with recursive pointed as (
    (select c.address from public.calendar_channels c
    where c.state = 'live' and c.moved_at is null and c.address is not null order by c.address limit 1)
    union all
    select (
      select c.address from public.calendar_channels c
      where c.state = 'live' and c.moved_at is null and c.address > p.address order by c.address limit 1)
    from pointed p where p.address is not null
  )
  select array_agg(moved.id) into v_ids from (
    select w.id
    -- Found before any is locked: in a plan's own order the lock of each could come first.
    from (
      select c.calendar_id from pointed p
      join public.calendar_channels c on c.address = p.address and c.state = 'live' and c.moved_at is null
      where p.address <> all (p_addresses)
      offset 0
    ) c
    -- Calendars before channels, as every function does that locks both; what somebody holds is for the next call.
    cross join lateral (
      select l.id from public.calendar_webhooks l
      where l.id = c.calendar_id and calendar_internal.hold_free_user(l.user_id) for no key update skip locked) w
    limit least(greatest(p_limit, 0), 1000)
  ) moved;
  update public.calendar_webhooks w set
    watch_lead_seconds = extract(epoch from w.expiration_time - v_now) - p_delay_seconds, updated_at = v_now
  where w.id = any (v_ids) and w.expiration_time is not null;
  update public.calendar_channels c set moved_at = v_now where c.calendar_id = any (v_ids) and c.state = 'live';
  return coalesce(cardinality(v_ids), 0);
end
$$;
comment on function public.renew_moved_watches is
  'Has calendars watched anew whose channel points to an address that is not the service''s any more.';

-- Stores a channel before Google is asked for it, so that no notification can come from one we do not know. False: its calendar is
-- gone, and Google is not to be asked. A repeated call changes nothing.
create or replace function public.begin_channel(p_channel_id text, p_calendar_id uuid, p_address text)
returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  perform calendar_internal.hold_user_of(p_calendar_id);
  -- Locked, or one that is just being erased would be found and then be missed by the foreign key.
  perform 1 from public.calendar_webhooks w where w.id = p_calendar_id for key share;
  if not found then
    return false;
  end if;
  insert into public.calendar_channels (id, calendar_id, user_id, address)
  select p_channel_id, w.id, w.user_id, p_address from public.calendar_webhooks w where w.id = p_calendar_id
  on conflict (id) do nothing;
  return true;
end
$$;

-- What a new channel's resource tells: Google gives each calendar one, as a user sees it, and it stays. Called by
-- activate_channel, in its transaction, with the calendar's row locked and before the channel is its current one.
--   the one it had: the calendar is the one it was, and so is the account, if that was in doubt
--   another one: the calendar's name means another calendar now, and it is listed anew
create or replace function calendar_internal.identify_calendar(p_calendar public.calendar_webhooks, p_resource_id text)
returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  if p_calendar.resource_id is null then
    return;
  end if;
  if p_calendar.resource_id <> p_resource_id then
    update public.calendar_webhooks w set
      sync_token = null, fence = w.fence + 1, committed_fence = w.fence + 1, lease_expires_at = null,
      due_at = greatest(clock_timestamp(), w.not_before), due_reason = 'watch_opened'
    where w.id = p_calendar.id;
  elsif p_calendar.google_calendar_id = 'primary' then
    update public.google_credentials g set google_account = g.former_account, former_account = null
    where g.user_id = p_calendar.user_id and g.google_account is null and g.former_account is not null;
  end if;
end
$$;
comment on function calendar_internal.identify_calendar is
  'Learns from a channel''s resource whether a calendar is still the one it was.';

-- The calendar of the same user that this one is too, if any: `primary` is a second name of one of them, and who does not
-- let us read their list may have named both. Both rows come back locked, in one order.
create or replace function calendar_internal.lock_with_twin(p_calendar_id uuid, p_user_id uuid, p_resource_id text)
returns public.calendar_webhooks
language plpgsql security invoker set search_path = ''
as $$
declare
  v_ids uuid[];
  v_twin public.calendar_webhooks;
begin
  -- One activation of a user's calendars after the other, or two twins would not see each other.
  perform calendar_internal.hold_user(p_user_id);
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  select array_agg(w.id) into v_ids
  from public.calendar_channels c join public.calendar_webhooks w on w.id = c.calendar_id
  where c.user_id = p_user_id and c.state = 'live' and c.resource_id = p_resource_id
    and c.calendar_id <> p_calendar_id and w.is_active and w.duplicate_of is null;
  perform 1 from public.calendar_webhooks w where w.id = p_calendar_id or w.id = any (v_ids) order by w.id for no key update;
  select w.* into v_twin from public.calendar_webhooks w join public.calendar_webhooks mine on mine.id = p_calendar_id
  where w.id = any (v_ids) and w.is_active and 'primary' in (w.google_calendar_id, mine.google_calendar_id)
  limit 1;
  return v_twin;
end
$$;
comment on function calendar_internal.lock_with_twin is
  'Locks a calendar, and the other row of its user that stands for the same calendar, which it gives.';

-- Google opened the channel: it becomes the calendar's current one, all earlier ones are superseded and stoppable. If
-- there was no other live channel, changes may have gone unannounced: the calendar becomes due. A channel of a calendar that is
-- watched no more never becomes live. Of two names of one calendar `primary` stays, and the other one is let go.
-- Answers the channels to stop. A repeated call changes nothing.
create or replace function public.activate_channel(
  p_channel_id text, p_resource_id text, p_expires_at timestamptz, p_lead_seconds double precision default 129600
) returns table (channel_id text, resource_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_calendar_id uuid;
  v_user_id uuid;
  v_calendar public.calendar_webhooks;
  v_twin public.calendar_webhooks;
  v_gap boolean;
begin
  -- The calendar row is locked first, as every function does that locks both.
  select c.calendar_id, c.user_id into v_calendar_id, v_user_id from public.calendar_channels c where c.id = p_channel_id;
  v_twin := calendar_internal.lock_with_twin(v_calendar_id, v_user_id, p_resource_id);
  select * into v_calendar from public.calendar_webhooks w where w.id = v_calendar_id;
  if v_calendar.is_active and v_twin.id is not null then
    perform calendar_internal.leave_calendars(
      array[case when v_calendar.google_calendar_id = 'primary' then v_twin.id else v_calendar_id end], 'keep',
      'same_calendar');
    v_calendar.is_active := v_calendar.google_calendar_id = 'primary';
  end if;
  if v_calendar.is_active is not true then
    -- Its user left while Google opened it: it never becomes current, and is itself to be stopped.
    update public.calendar_channels c set
      state = 'superseded', resource_id = p_resource_id, expires_at = p_expires_at, stop_after = v_now, updated_at = v_now
    where c.id = p_channel_id and c.state in ('opening', 'failed');
    return query
    select c.id, c.resource_id from public.calendar_channels c where c.id = p_channel_id and c.state = 'superseded';
    return;
  end if;
  update public.calendar_channels c set
    state = 'live', resource_id = p_resource_id, expires_at = p_expires_at, opened_at = v_now, error_code = null,
    -- It may have been given up too early, and be marked to be stopped.
    stop_after = null, updated_at = v_now
  where c.id = p_channel_id and c.state in ('opening', 'failed');
  if not found then
    return;
  end if;
  perform calendar_internal.identify_calendar(v_calendar, p_resource_id);
  v_gap := not exists (
    select 1 from public.calendar_channels c
    where c.calendar_id = v_calendar_id and c.id <> p_channel_id and c.state = 'live' and c.expires_at > v_now);
  update public.calendar_channels c set
    state = case when c.expires_at <= v_now then 'expired' else 'superseded' end,
    stop_after = case when c.expires_at <= v_now then null else v_now end,
    updated_at = v_now
  where c.calendar_id = v_calendar_id and c.id <> p_channel_id and c.state = 'live';
  update public.calendar_webhooks w set
    webhook_id = p_channel_id, resource_id = p_resource_id, expiration_time = p_expires_at,
    watch_lead_seconds = p_lead_seconds, watch_retry_at = null, watch_failures = 0, watch_error_code = null,
    -- It has just been open: that is its proof of life.
    belief_doubt = 0, belief_unproven_days = 0,
    -- A sync that runs now may have listed before the channel was open: one more is owed after it.
    notifications_seen = case when v_gap and w.lease_expires_at > v_now then w.notifications_seen + 1
      else w.notifications_seen end,
    due_at = case when v_gap and w.lease_expires_at is null then least(w.due_at, greatest(v_now, w.not_before))
      else w.due_at end,
    due_reason = case when v_gap and w.lease_expires_at is null then 'watch_opened' else w.due_reason end,
    updated_at = v_now
  where w.id = v_calendar_id;
  return query
  select c.id, c.resource_id from public.calendar_channels c
  where c.calendar_id in (v_calendar_id, v_twin.id) and c.state = 'superseded' and c.resource_id is not null;
end
$$;

-- The watch was not opened, or nobody knows whether it was. Everything else stays as it is; a calendar never synced
-- becomes due, for it has waited for its watch. A repeated call changes nothing, nor one that comes after the channel was
-- activated or given up. p_is_outage: Google answers nobody, which is not counted against the calendar.
create or replace function public.fail_channel(
  p_channel_id text, p_error_code text, p_retry_seconds double precision, p_is_outage boolean default false
) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_calendar_id uuid;
begin
  select c.calendar_id into v_calendar_id from public.calendar_channels c where c.id = p_channel_id;
  perform calendar_internal.hold_user_of(v_calendar_id);
  -- The calendar row is locked first, as every function does that locks both.
  perform 1 from public.calendar_webhooks w where w.id = v_calendar_id for no key update;
  update public.calendar_channels c set
    state = 'failed', error_code = p_error_code, updated_at = v_now,
    stop_after = case when c.resource_id is not null then v_now else c.stop_after end
  where c.id = p_channel_id and c.state = 'opening';
  if not found then
    return;
  end if;
  update public.calendar_webhooks w set
    watch_failures = w.watch_failures + (case when p_is_outage then 0 else 1 end), watch_error_code = p_error_code,
    watch_retry_at = v_now + make_interval(secs => p_retry_seconds),
    due_at = case when w.last_synced_at is null and w.lease_expires_at is null
      then least(w.due_at, greatest(v_now, w.not_before)) else w.due_at end,
    updated_at = v_now
  where w.id = v_calendar_id;
end
$$;

-- Gives up to p_limit calendars up that Google has refused for p_after_seconds, alone or with their user's grant: what lies ahead of
-- them is cancelled, for nobody knows whether it holds, their channels are to be stopped, and they are listed anew when they
-- can be read again. A refused calendar is still asked for, once a day. Answers how many. A repeated call changes nothing.
create or replace function public.retire_lost_calendars(p_after_seconds double precision, p_limit integer)
returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
begin
  select array_agg(lost.id) into v_ids from (
    select w.id from public.calendar_webhooks w
    where w.is_active and w.duplicate_of is null and w.retired_at is null
      and (w.access_lost_at is not null or w.paused_reason = 'needs_reauth')
      and coalesce(w.access_lost_at, w.paused_at) <= v_now - make_interval(secs => p_after_seconds)
      and (w.lease_expires_at is null or w.lease_expires_at <= v_now)
    order by coalesce(w.access_lost_at, w.paused_at)
    limit least(greatest(p_limit, 0), 50)
    for no key update skip locked
  ) lost;
  -- Their channels and meetings are waited for.
  select array_agg(w.id) into v_ids from public.calendar_webhooks w
  where w.id = any (v_ids) and calendar_internal.hold_free_user(w.user_id);
  -- The fence moves on: whoever held a lease that ran out commits nothing.
  update public.calendar_webhooks w set
    retired_at = v_now, sync_token = null, fence = w.fence + 1, committed_fence = w.fence + 1, lease_expires_at = null,
    webhook_id = null, expiration_time = null, watch_retry_at = null, watch_failures = 0, watch_error_code = null,
    updated_at = v_now
  where w.id = any (v_ids);
  update public.calendar_channels c set
    state = case when c.expires_at <= v_now then 'expired' else 'superseded' end,
    stop_after = case when c.expires_at <= v_now then null else v_now end,
    updated_at = v_now
  where c.calendar_id = any (v_ids) and c.state = 'live';
  update public.meetings m set status = 'cancelled', status_reason = 'calendar_lost', updated_at = v_now
  where m.calendar_id = any (v_ids) and m.status is distinct from 'cancelled'
    and coalesce(m.end_time, m.start_time) > v_now;
  return coalesce(cardinality(v_ids), 0);
end
$$;
comment on function public.retire_lost_calendars is
  'Ends what lies ahead of calendars that could not be read for days, and their watches, until they can be read again.';

-- Channels whose opening was never finished, for its process died, count as failed after p_abandoned_seconds. Waits for nobody.
create or replace function calendar_internal.abandon_channels(p_abandoned_seconds integer) returns void
language sql security invoker set search_path = ''
as $$
  update public.calendar_channels c set
    state = 'failed', error_code = 'abandoned', updated_at = clock_timestamp(),
    stop_after = case when c.resource_id is not null then clock_timestamp() end
  where c.id in (
    select a.id from public.calendar_channels a
    where a.state = 'opening' and a.created_at < clock_timestamp() - make_interval(secs => p_abandoned_seconds)
      and calendar_internal.may_write(a.xmin, a.calendar_id)
    for no key update skip locked)
$$;

-- Channels that count as failed and yet speak, of calendars that have no live one: Google opened them, and its answer was
-- lost. The newest of each calendar, up to 200, for activate_channel to make them current. With p_channel_ids only among
-- these. expires_at: as the channel itself told; null: it did not.
create or replace function public.adoptable_channels(p_abandoned_seconds integer, p_channel_ids text[] default null)
returns table (channel_id text, calendar_id uuid, resource_id text, expires_at timestamptz)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  -- What they said may wait still: whoever recorded their failure held them.
  perform calendar_internal.drain_notifications(200, case when p_channel_ids is not null then array(
    select c.calendar_id from public.calendar_channels c where c.id = any (p_channel_ids)) end);
  perform calendar_internal.abandon_channels(p_abandoned_seconds);
  return query
  select distinct on (c.calendar_id) c.id, c.calendar_id, c.resource_id, c.expires_at
  from (
    select f.* from public.calendar_channels f
    where f.stop_after is not null and f.resource_id is not null and f.state = 'failed'
      and (p_channel_ids is null or f.id = any (p_channel_ids))
      and coalesce(f.expires_at, 'infinity') > clock_timestamp()
    order by f.stop_after limit 200
  ) c
  join public.calendar_webhooks w on w.id = c.calendar_id
  where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.retired_at is null
    and not exists (
      select 1 from public.calendar_channels l
      where l.calendar_id = c.calendar_id and l.state = 'live' and l.expires_at > clock_timestamp())
  order by c.calendar_id, c.created_at desc;
end
$$;

-- Leases channels that should be dead and can be stopped. A channel whose opening was never finished (its process died)
-- counts as failed after p_abandoned_seconds; one that has lapsed by itself need not be stopped any more.
-- Guarantee: a channel that speaks for a watched calendar is never among them.
-- Planned once by each connection, but for named ones, as claim_expiring_watches is.
create or replace function public.claim_dead_channels(
  p_limit integer, p_lease_seconds integer, p_abandoned_seconds integer, p_channel_ids text[] default null
) returns table (
  channel_id text, resource_id text, user_id uuid,
  access_token text, access_token_expires_at timestamptz, refresh_token text
)
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
begin
  if p_channel_ids is not null then
    perform pg_catalog.set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  perform calendar_internal.abandon_channels(p_abandoned_seconds);
  v_now := clock_timestamp();
  -- Also of users whose grant is lost, whose channels nobody can stop. No channel outlives 30 days at Google.
  -- Of those that have waited the longest: what lapses behind them is met when it is their turn. By their places, found
  -- a moment ago in the index: one page for each, whatever the number of channels.
  with lapsed as materialized (
    select l.id from public.calendar_channels l
    where l.ctid = any (array(
        select oldest.ctid from public.calendar_channels oldest
        where oldest.stop_after <= v_now and oldest.resource_id is not null
        order by oldest.stop_after limit 200))
      and l.stop_after <= v_now
      and calendar_internal.may_write(l.xmin, l.calendar_id)
      and coalesce(l.expires_at, greatest(l.created_at, l.last_notification_at) + interval '30 days') <= v_now
    order by l.id
    for no key update skip locked
  )
  update public.calendar_channels c set state = 'expired', stop_after = null, updated_at = v_now
  from lapsed where c.id = lapsed.id;
  return query
  -- Materialized: inside a nested loop the limit would be counted anew for every row.
  with picked as materialized (
    select d.id from public.calendar_channels d
    join public.calendar_webhooks w on w.id = d.calendar_id
    -- Lateral, for "exists" inside "or" would be answered by reading all live channels.
    left join lateral (
      select true as is_there from public.calendar_channels l
      where l.calendar_id = d.calendar_id and l.state = 'live' limit 1
    ) live on true
    where d.stop_after <= v_now and d.resource_id is not null
      and calendar_internal.may_write(d.xmin, d.calendar_id)
      and (p_channel_ids is null or d.id = any (p_channel_ids))
      -- An old channel is stopped only once another one speaks for its calendar, or the calendar is watched no more, or is lost.
      and (d.state in ('failed', 'expired', 'stopped') or (d.state = 'superseded' and live.is_there) or w.is_active is not true
        or w.retired_at is not null)
    order by d.stop_after
    limit least(greatest(p_limit, 0), 200)
    for no key update of d skip locked
  ), claimed as (
    update public.calendar_channels c set
      stop_after = v_now + make_interval(secs => p_lease_seconds), stop_attempts = c.stop_attempts + 1
    from picked where c.id = picked.id
    returning c.*
  )
  select c.id, c.resource_id, c.user_id, g.access_token, g.access_token_expires_at, g.refresh_token
  from claimed c
  left join public.google_credentials g on g.user_id = c.user_id and g.status = 'connected';
end
$$;

-- The end of a channel: stopped by us, unknown to Google, or (p_retry_seconds given) still to be stopped later.
create or replace function public.end_channel(p_channel_id text, p_retry_seconds double precision default null)
returns void
language sql security invoker set search_path = ''
as $$
  update public.calendar_channels c set
    state = case when p_retry_seconds is null then 'stopped' else c.state end,
    stop_after = case when p_retry_seconds is null then null
      else clock_timestamp() + make_interval(secs => p_retry_seconds) end,
    updated_at = clock_timestamp()
  where c.id = p_channel_id
$$;

-- For the service alone.
revoke all on function
  calendar_internal.abandon_channels,
  calendar_internal.identify_calendar,
  calendar_internal.lock_with_twin,
  calendar_internal.keep_watch_due,
  public.claim_expiring_watches,
  public.watches_due,
  public.release_watches,
  public.renew_moved_watches,
  public.begin_channel,
  public.activate_channel,
  public.adoptable_channels,
  public.fail_channel,
  public.claim_dead_channels,
  public.retire_lost_calendars,
  public.end_channel
from public, anon, authenticated;
grant execute on function
  calendar_internal.abandon_channels,
  calendar_internal.identify_calendar,
  calendar_internal.lock_with_twin,
  calendar_internal.keep_watch_due,
  public.claim_expiring_watches,
  public.watches_due,
  public.release_watches,
  public.renew_moved_watches,
  public.begin_channel,
  public.activate_channel,
  public.adoptable_channels,
  public.fail_channel,
  public.claim_dead_channels,
  public.retire_lost_calendars,
  public.end_channel
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.claim_expiring_watches is 'Leases up to p_limit calendars whose watch is due: its channel lapses soon, or it has none. watch_retry_at is the lease and,
after a failure, the backoff.
Planned once by each connection: planning would cost more than the call does where nothing is due. Named ones are planned
for: the kept plan would look for them among all that is due, after an outage of a million for seconds.';
comment on function public.watches_due is 'How many watches claim_expiring_watches would find (counted to 1000): what a renewal leaves behind.';
comment on function public.begin_channel is 'Stores a channel before Google is asked for it, so that no notification can come from one we do not know. False: its calendar is
gone, and Google is not to be asked. A repeated call changes nothing.';
comment on function public.activate_channel is 'Google opened the channel: it becomes the calendar''s current one, all earlier ones are superseded and stoppable. If
there was no other live channel, changes may have gone unannounced: the calendar becomes due. A channel of a calendar that is
watched no more never becomes live. Of two names of one calendar `primary` stays, and the other one is let go.
Answers the channels to stop. A repeated call changes nothing.';
comment on function public.fail_channel is 'The watch was not opened, or nobody knows whether it was. Everything else stays as it is; a calendar never synced
becomes due, for it has waited for its watch. A repeated call changes nothing, nor one that comes after the channel was
activated or given up. p_is_outage: Google answers nobody, which is not counted against the calendar.';
comment on function calendar_internal.abandon_channels is 'Channels whose opening was never finished, for its process died, count as failed after p_abandoned_seconds. Waits for nobody.';
comment on function public.adoptable_channels is 'Channels that count as failed and yet speak, of calendars that have no live one: Google opened them, and its answer was
lost. The newest of each calendar, up to 200, for activate_channel to make them current. With p_channel_ids only among
these. expires_at: as the channel itself told; null: it did not.';
comment on function public.claim_dead_channels is 'Leases channels that should be dead and can be stopped. A channel whose opening was never finished (its process died)
counts as failed after p_abandoned_seconds; one that has lapsed by itself need not be stopped any more.
Guarantee: a channel that speaks for a watched calendar is never among them.
Planned once by each connection, but for named ones, as claim_expiring_watches is.';
comment on function public.end_channel is 'The end of a channel: stopped by us, unknown to Google, or (p_retry_seconds given) still to be stopped later.';
