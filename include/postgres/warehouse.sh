#!/bin/sh
# Run once by the postgres container, when its volume is empty: the warehouse, beside Airflow's
# database, with an owner who can reach nothing else on the server, and the link service's login: what
# it may do there, the migrations grant.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --set=password="$WAREHOUSE_PASSWORD" --set=web="$WEB_PASSWORD" --set=airflow="$POSTGRES_DB" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE reengage LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER reengage;
CREATE ROLE reengage_web LOGIN PASSWORD :'web';
REVOKE ALL ON DATABASE warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO reengage_web;
REVOKE CONNECT ON DATABASE :"airflow", postgres FROM PUBLIC;
SQL
