-- The PostgreSQL database of one site, and its roles: docs/postgresql.md. For psql, as the server's superuser:
--
--     psql --set=ON_ERROR_STOP=1 --set=site=acme < etc/postgresql/site.sql
--
-- Doing it again does what is new: after `lzsyncd migrate`, and after an upgrade.

\if :{?site}
\else
    \warn 'Name the site: --set=site=NAME'
    \quit
\endif
\set own 'lzsyncd_' :site
\set page 'lzsyncd_' :site '_page'
\set report 'lzsyncd_' :site '_report'

-- Whoever has a role's password can do no more than it may, but could keep others out with idle connections.
SELECT format('CREATE ROLE %I LOGIN CONNECTION LIMIT %s', name, most)
FROM (VALUES (:'own', 20), (:'page', 40), (:'report', 5)) AS role (name, most)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

-- The database is the superuser's: the site's role makes tables in it, and neither extensions nor other schemas.
SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C.UTF-8''', :'own')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'own') \gexec
REVOKE ALL ON DATABASE :"own" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"own" TO :"own", :"page", :"report";
-- For the tables of a run, and for the preview of an undo.
GRANT TEMPORARY ON DATABASE :"own" TO :"own", :"page";
ALTER ROLE :"report" SET default_transaction_read_only = on;
ALTER ROLE :"report" SET statement_timeout = '5min';

\connect :"own"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- The site's role owns what it makes: a first load drops the indexes of an empty table and builds them last.
GRANT USAGE, CREATE ON SCHEMA public TO :"own";
GRANT USAGE ON SCHEMA public TO :"page", :"report";
ALTER DEFAULT PRIVILEGES FOR ROLE :"own" IN SCHEMA public GRANT SELECT ON TABLES TO :"page", :"report";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO :"page", :"report";

-- What people ask for on the page is a row of this table; the daemon does it.
SELECT to_regclass('public.sync_request') IS NOT NULL AS made \gset
\if :made
    GRANT INSERT ON sync_request TO :"page";
\endif
