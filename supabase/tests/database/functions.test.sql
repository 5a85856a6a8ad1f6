-- Functions are executed by the service alone, one and all. Run by `supabase test db`, which brings pgTAP.
--
-- A project that keeps functions of its own in `public` names them in `theirs`.

begin;

create temporary table ours on commit drop as
with theirs (name) as (select unnest('{}'::text[]))
select p.oid, p.oid::regprocedure::text as signature, p.proconfig, p.prosecdef
from pg_proc p
where p.pronamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)
  and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  and p.proname not in (select name from theirs);

select plan((select 4 * count(*)::integer + 6 from ours));

select ok((select count(*) from ours) > 50, 'the functions are there');

select ok(not has_function_privilege('anon', oid, 'execute'), format('anon does not execute %s', signature))
from ours order by signature;
select ok(not has_function_privilege('authenticated', oid, 'execute'), format('authenticated does not execute %s', signature))
from ours order by signature;
select ok(has_function_privilege('service_role', oid, 'execute'), format('service_role executes %s', signature))
from ours order by signature;
select ok(proconfig @> array['search_path=""'], format('%s looks for names nowhere but where it says', signature))
from ours order by signature;

select schema_privs_are('calendar_internal', role, case role when 'service_role' then array['USAGE'] else '{}' end)
from unnest(array['anon', 'authenticated', 'service_role']) role;

-- What the catalog says, tried.

set local role authenticated;
select throws_ok(
  $$select public.erase_user('a11ce000-0000-4000-8000-000000000001')$$, '42501', null, 'a user erases nobody');
reset role;
set local role service_role;
select lives_ok(
  $$select public.read_connection('a11ce000-0000-4000-8000-000000000001')$$, 'the service asks for a connection');

reset role;
select * from finish();
rollback;
