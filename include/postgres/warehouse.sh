#!/bin/sh
# Run once by the postgres container, when its volume is empty: the warehouse, beside Airflow's
# database, with an owner who can reach nothing else on the server.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --set=password="$WAREHOUSE_PASSWORD" --set=airflow="$POSTGRES_DB" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE reengage LOGIN PASSWORD :'password';
CREATE DATABASE warehouse OWNER reengage;
REVOKE ALL ON DATABASE warehouse FROM PUBLIC;
REVOKE CONNECT ON DATABASE :"airflow", postgres FROM PUBLIC;
SQL
