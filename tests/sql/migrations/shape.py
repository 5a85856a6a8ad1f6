"""What the catalog says of a database's schema, to compare it before and after; and the migrations run as plain SQL."""

from __future__ import annotations

from scripts.stack.migrate import find_migrations
from tests.sql.database import connect

# What the catalog says of the schema: a second run must leave it as the first one did.
SHAPE = """
select 'column' as kind, attrelid::regclass::text || '.' || attname as name,
  format('%s %s %s', atttypid::regtype, attnotnull, pg_get_expr(adbin, adrelid)) as text
from pg_attribute a left join pg_attrdef d on d.adrelid = attrelid and d.adnum = attnum
join pg_class c on c.oid = attrelid
where relnamespace = 'public'::regnamespace and attnum > 0 and not attisdropped
union all select 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
  from pg_constraint where connamespace = 'public'::regnamespace
union all select 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
  from pg_index i join pg_class c on c.oid = indexrelid where relnamespace = 'public'::regnamespace
union all select 'trigger', tgrelid::regclass::text || '.' || tgname, tgenabled::text
  from pg_trigger where not tgisinternal
union all select 'policy', tablename || '.' || policyname, format('%s %s %s %s', permissive, roles, cmd, qual)
  from pg_policies where schemaname = 'public'
union all select 'relation', relname, format('%s %s', relrowsecurity, relacl)
  from pg_class where relnamespace = 'public'::regnamespace
union all select 'column grants', attrelid::regclass::text || '.' || attname, attacl::text
  from pg_attribute join pg_class c on c.oid = attrelid
  where relnamespace = 'public'::regnamespace and attacl is not null
union all select 'published', tablename, pubname
  from pg_publication_tables where schemaname = 'public'
union all select 'function', oid::regprocedure::text, format('%s %s', md5(prosrc), proacl)
  from pg_proc where pronamespace in ('public'::regnamespace, to_regnamespace('calendar_internal'))
order by 1, 2, 3
"""


def run_text(url: str) -> None:
    """The migrations' SQL itself, whatever is recorded as applied, each file in a transaction."""
    for migration in find_migrations():
        with connect(url) as connection, connection.transaction():
            connection.execute(migration.path.read_bytes())
