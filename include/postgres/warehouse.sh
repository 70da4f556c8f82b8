#!/bin/sh
# Run once by the container `warehouse`, when its volume is empty: the warehouse, with an owner who
# can reach nothing else on the server, and the link service's login: what it may do there, the
# migrations grant. On a server of your own run it once, as psql reaches it with a superuser's login
# (PGHOST, PGPORT, PGUSER, PGPASSWORD), with both passwords, or files that hold them.
set -eu

# The password in $1, or in the file that $1_FILE names; which is not told where it cannot be read.
password() {
    file=$(eval "printf %s \"\${$1_FILE:-}\"")
    if [ -n "$file" ]; then cat "$file"; else eval "printf %s \"\${$1:?set it, or $1_FILE}\""; fi
}

WAREHOUSE_PASSWORD=$(password WAREHOUSE_PASSWORD)
WEB_PASSWORD=$(password WEB_PASSWORD)
export WAREHOUSE_PASSWORD WEB_PASSWORD

# By the environment, as everybody on the machine sees a command line.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --username="${POSTGRES_USER:-${PGUSER:-postgres}}" \
    --dbname="${POSTGRES_DB:-${PGDATABASE:-postgres}}" <<'SQL'
\getenv password WAREHOUSE_PASSWORD
\getenv web WEB_PASSWORD
CREATE ROLE reengage LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER reengage;
CREATE ROLE reengage_web LOGIN PASSWORD :'web';
REVOKE ALL ON DATABASE warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO reengage_web;
SELECT current_database() AS here \gset
REVOKE CONNECT ON DATABASE :"here", postgres, template1 FROM PUBLIC;
SQL
