-- Schedules the service's two cron endpoints inside the database: pg_cron keeps the time, pg_net calls, Vault keeps the secret.
--
-- Not a migration: whoever wants this scheduler runs the file once, as `postgres` (the SQL editor will do), after telling Vault
-- where the service is and what its CRON_SECRET is:
--
--   select vault.create_secret('https://calendar-monitor.example.com', 'calendar_monitor_url');
--   select vault.create_secret('the service''s CRON_SECRET', 'calendar_monitor_cron_secret');
--
-- May run again: a job of the same name is replaced. A new address or secret needs vault.update_secret and nothing here, for
-- each call reads both. When which scheduler is better, how to watch and end this one: docs/scheduling.md. To end it:
--
--   select cron.unschedule(jobname) from cron.job where jobname like 'calendar-monitor-%';

do $$
begin
  if to_regnamespace('cron') is null then
    create extension pg_cron;
  end if;
  if to_regnamespace('net') is null then
    create extension pg_net;
  end if;
  if to_regnamespace('vault') is null then
    create extension supabase_vault;
  end if;
end
$$;

-- Better told now than by a job that fails every minute.
do $$
declare
  address text := (select decrypted_secret from vault.decrypted_secrets where name = 'calendar_monitor_url');
begin
  if address is null or not exists (select 1 from vault.decrypted_secrets where name = 'calendar_monitor_cron_secret') then
    raise exception 'Vault lacks calendar_monitor_url or calendar_monitor_cron_secret'
      using hint = 'Give it both with vault.create_secret; the head of this file shows how.';
  end if;
  -- Plain http as far as this machine only: the database's own, or the one that its container runs on.
  if address !~ '^(https://[^/?#[:space:]]+|http://(localhost|127\.0\.0\.1|host\.docker\.internal)(:[0-9]+)?)(/[^?#[:space:]]*)?$'
  then
    raise exception 'calendar_monitor_url in Vault is no https:// address without query and fragment';
  end if;
end
$$;

-- Polling: every minute. A call works for CRON_BUDGET_SECONDS (50) at most and leaves the rest (`remaining`) to the next one, so
-- that nobody has to read its answer. Two at once do no harm: each calendar is claimed by one of them.
-- Renewal: every hour, off the full one; RENEW_LEAD_HOURS (36) is room for many tries.
-- pg_net would hang up after 5 s and call it an error: 90 s leave time to end what was begun within the budget.
select cron.schedule(
  job.name,
  job.schedule,
  format(
    $job$
select net.http_post(
  url := (select rtrim(decrypted_secret, '/') from vault.decrypted_secrets where name = 'calendar_monitor_url') || %L,
  headers := jsonb_build_object(
    'Content-Type', 'application/json',
    'Authorization',
    'Bearer ' || (select decrypted_secret from vault.decrypted_secrets where name = 'calendar_monitor_cron_secret')),
  body := '{}'::jsonb,
  timeout_milliseconds := 90000)
$job$,
    job.path))
from (values
  ('calendar-monitor-polling', '* * * * *', '/functions/v1/calendar-polling-cron'),
  ('calendar-monitor-renewal', '43 * * * *', '/functions/v1/renew-calendar-watches')
) as job (name, schedule, path);

-- pg_cron keeps a line of every run for ever: some 1500 a day.
select cron.schedule(
  'calendar-monitor-tidying',
  '17 3 * * *',
  $job$
delete from cron.job_run_details d using cron.job j
where j.jobid = d.jobid and j.jobname like 'calendar-monitor-%' and d.end_time < now() - interval '3 days'
$job$);
