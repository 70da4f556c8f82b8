-- raw: what a source said, by load, with the rejects and their reasons.
CREATE SCHEMA raw;

CREATE TYPE raw.load_status AS ENUM (
    'running',   -- rows are being read; a killed load stays here and is taken over by the next
    'loaded',    -- every row is in raw and core
    'stopped'    -- read, but a check stopped the day: core was not touched
);

CREATE TYPE raw.row_status AS ENUM (
    'waiting',     -- dated after the as_of of the loads so far: its day has not come
    'loaded',      -- moved to core by load_id
    'excluded',    -- the source's `exclude` rule says it is no fact (a cancelled order)
    'superseded'   -- the source later said something else under the same key
);

-- One attempt to load one source for one as_of.
CREATE TABLE raw.load (
    load_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    entity text NOT NULL,
    as_of date NOT NULL,
    status raw.load_status NOT NULL DEFAULT 'running',
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_new bigint NOT NULL DEFAULT 0,
    rows_loaded bigint NOT NULL DEFAULT 0,
    rows_waiting bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    fields_emptied bigint NOT NULL DEFAULT 0,
    newest_on date,
    problem text,   -- why the day cannot go on
    message text    -- what a person should know of files and rejects
);
CREATE INDEX load_by_source ON raw.load (source, as_of);

-- A file that was read whole. A file whose size and time are unchanged is not read again.
CREATE TABLE raw.file (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    load_id bigint NOT NULL,
    source text NOT NULL,
    path text NOT NULL,
    size_bytes bigint NOT NULL,
    modified_at timestamptz NOT NULL,
    mapping_hash text NOT NULL,   -- of the source's YAML: another mapping reads the file again
    rows_read bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    newest_on date,
    problem text,                 -- why the file as a whole could not be (fully) read
    is_complete boolean NOT NULL DEFAULT FALSE
);
CREATE INDEX file_by_path ON raw.file (source, path);

-- Rows that could not be taken. line is the line (csv, jsonl) or row (parquet), from 1.
CREATE TABLE raw.reject (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    source text NOT NULL,
    line bigint NOT NULL,
    reason text NOT NULL,
    record jsonb NOT NULL
);
CREATE INDEX reject_by_file ON raw.reject (file_id);
CREATE INDEX reject_by_load ON raw.reject (load_id);

-- The good rows. `record` is the row as the source wrote it; the typed columns are what of it can
-- be read; `problems` says, by column, why a value could not be ({"amount": "not a number"}).
-- record_key names the row within its source: the source's own id, or a hash of the mapped
-- values and the occurrence number.
CREATE TABLE raw.contact (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    record_hash text NOT NULL,
    dated_on date,
    status raw.row_status NOT NULL,
    superseded_by bigint,         -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    source_contact_id text NOT NULL,
    phone text,
    phone_hash text,
    email text,
    first_name text,
    last_name text,
    language text,
    country text,
    time_zone text,
    lifecycle_class text,
    created_on date,
    loyalty_card_id text,
    shop_account_id text
);
CREATE TABLE raw.interaction (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    record_hash text NOT NULL,
    dated_on date NOT NULL,
    status raw.row_status NOT NULL,
    superseded_by bigint,         -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    contact_source text NOT NULL,
    source_contact_id text NOT NULL,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    amount numeric,
    currency text,
    product_id text,
    coupon_code text
);
CREATE TABLE raw.consent (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    record_hash text NOT NULL,
    dated_on date,
    status raw.row_status NOT NULL,
    superseded_by bigint,         -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    contact_source text NOT NULL,
    source_contact_id text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    basis text,
    granted_at timestamptz,
    withdrawn_at timestamptz,
    wording text,
    language text
);

-- The current row of each key; a superseded one is kept without being in the way.
CREATE UNIQUE INDEX contact_current ON raw.contact (source, record_key)
WHERE status <> 'superseded';
CREATE UNIQUE INDEX interaction_current ON raw.interaction (source, record_key)
WHERE status <> 'superseded';
CREATE UNIQUE INDEX consent_current ON raw.consent (source, record_key)
WHERE status <> 'superseded';

-- The load's own rows, from which core is kept up.
CREATE INDEX contact_by_load ON raw.contact (load_id);
CREATE INDEX interaction_by_load ON raw.interaction (load_id);
CREATE INDEX consent_by_load ON raw.consent (load_id);

-- Whether a file only repeats what a later one has replaced.
CREATE INDEX contact_past ON raw.contact (source, record_key) WHERE status = 'superseded';
CREATE INDEX interaction_past ON raw.interaction (source, record_key)
WHERE status = 'superseded';
CREATE INDEX consent_past ON raw.consent (source, record_key) WHERE status = 'superseded';

-- What the load took back.
CREATE INDEX contact_superseded ON raw.contact (superseded_by) WHERE superseded_by IS NOT NULL;
CREATE INDEX interaction_superseded ON raw.interaction (superseded_by)
WHERE superseded_by IS NOT NULL;
CREATE INDEX consent_superseded ON raw.consent (superseded_by) WHERE superseded_by IS NOT NULL;

-- Rows whose day has not come.
CREATE INDEX contact_waiting ON raw.contact (source, dated_on) WHERE status = 'waiting';
CREATE INDEX interaction_waiting ON raw.interaction (source, dated_on) WHERE status = 'waiting';
CREATE INDEX consent_waiting ON raw.consent (source, dated_on) WHERE status = 'waiting';
