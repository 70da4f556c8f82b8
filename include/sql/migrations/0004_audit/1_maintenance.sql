-- maintenance: what the weekly audit found.
CREATE SCHEMA maintenance;

-- One audit. Whoever was brought in by a load after the last decided day waits for the next one:
-- their dormancy is not compared.
CREATE TABLE maintenance.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    share double precision NOT NULL,   -- of the contacts that were to be compared, 0 to 1
    contacts bigint NOT NULL,          -- compared
    waiting bigint NOT NULL,           -- of all contacts, for the next day
    differing bigint NOT NULL,         -- contacts with any difference
    is_repaired boolean NOT NULL DEFAULT FALSE
);

-- What the daily path says and a full recompute does not.
CREATE TABLE maintenance.difference (
    audit_id bigint NOT NULL,
    relation text NOT NULL,            -- core.contact_activity, cohort.dormancy, cohort.episode
    column_name text NOT NULL,         -- or (missing): no row; or (no contact): a row of nobody
    contacts bigint NOT NULL,
    contact_ids bigint[] NOT NULL,     -- ten of them
    PRIMARY KEY (audit_id, relation, column_name)
);
