-- Today's schema. `make schema` makes this file from a migrated warehouse, and a test compares: to
-- change a table, write a migration; a view or a function, its file in include/sql/objects.
-- `psql -f include/sql/schema.sql` makes the same, in an empty database, for a look.

CREATE SCHEMA raw;
CREATE SCHEMA core;
CREATE SCHEMA cohort;
CREATE SCHEMA outbox;
CREATE SCHEMA outcome;
CREATE SCHEMA history;

CREATE TYPE raw.load_status AS ENUM (
    'running',  -- rows are being read; a killed load stays here and is taken over by the next
    'loaded',  -- every row is in raw and core
    'stopped'  -- read, but a check stopped the day: core was not touched
);

CREATE TYPE raw.row_status AS ENUM (
    'waiting',  -- dated after the as_of of the loads so far: its day has not come
    'loaded',  -- moved to core by load_id
    'excluded',  -- the source's `exclude` rule says it is no fact (a cancelled order)
    'superseded'  -- the source later said something else under the same key
);

CREATE TYPE core.contact_status AS ENUM (
    'active',  -- may be written to, if consent and suppression allow
    'unsubscribed',  -- the journey gave up on them (inactivity), or they opted out
    'erased'  -- personal data removed on request; the row keeps the counts right
);

-- Who is who is worked out from what the cards have said: every id that a card has ever named is
-- kept, so that an id which a second card of the source names, however much later, joins nobody.
CREATE TYPE core.hold AS ENUM (
    'whole',  -- it joins the card to the id; where two cards of a source hold it, it restrains
    'stops',  -- a placeholder by now, but the card named it before: only stops under it hold
    'nothing'  -- a placeholder: it joins and restrains nobody
);

CREATE TYPE core.interaction_kind AS ENUM (
    'purchase',  -- an order that was neither cancelled nor returned
    'visit',  -- a visit to a store or the site
    'loyalty',  -- a loyalty card was used
    'email_open',  -- an open as the mail client claims it; mail clients fake these
    'email_click',  -- a click in an email
    'reply',  -- a reply that is neither a stop nor unclear
    'login',  -- a login to the account
    'refund'  -- Goods or money went back: never a signal, and less than nothing to the revenue.
);

CREATE TYPE core.phone_kind AS ENUM (
    'mobile',
    'fixed_line_or_mobile',  -- the country's numbers do not tell: it is written to
    'unknown',  -- no list knows it: it is written to
    'fixed_line',  -- a landline
    'toll_free',  -- the called one pays
    'premium_rate',  -- the caller pays a lot
    'shared_cost',  -- both pay
    'voip',  -- a telephone of the internet
    'personal_number',  -- follows its owner, at the caller's cost
    'pager',
    'uan',  -- a company's one number for all its places
    'voicemail'
);

CREATE TYPE core.suppression_reason AS ENUM (
    'opted_out',  -- the person said stop; only the person lifts it
    'hard_bounce',  -- the provider says that the number does not exist
    -- The provider says that the number is somebody else's now: it says nothing of who had it.
    'number_reassigned',
    'complaint',  -- the person complained to the provider or the carrier
    'inactivity',  -- the ladder ended unopened; any sign of life lifts it
    'erased',  -- the person asked to be forgotten; kept as a hash
    'paused'  -- the person asked for a break
);

-- person whoever the contact is, whichever number they have by now; and the number that it was said
-- on (phone_hash), whoever has it number whoever has the number, and nobody who has another one by
-- now address the same, of an email address
CREATE TYPE core.suppression_scope AS ENUM (
    'person',
    'number',
    'address'
);

CREATE TYPE cohort.action AS ENUM (
    'send',  -- a message was drafted
    'hold',  -- something stands in the way; the reason says what
    'skip'  -- the step is not wanted for this contact
);

CREATE TYPE cohort.arm AS ENUM (
    'treatment',  -- was sent something
    'control'  -- would have been, and was held back to measure the effect
);

-- In the order in which they are checked: the first that applies is the reason.
CREATE TYPE cohort.reason AS ENUM (
    'opened',  -- skip: an earlier message of the episode was opened
    'no_consent',  -- no consent to marketing on this channel, or it was withdrawn
    'consent_expired',  -- consent was given, but too long ago
    'suppressed',  -- the contact or the number is on the suppression list
    'unread_reply',  -- A reply from the number waits for a person: looked at again the next day.
    'no_phone',  -- no usable phone number
    'not_mobile',  -- the number is no mobile: nothing rings
    'repeat',  -- skip: this step went to this person within repeat_after_days
    'duplicate_phone',  -- another contact with this phone is the one written to
    'gap',  -- something went to this person within gap_days; tried again tomorrow
    'daily_cap',  -- the day's cap is reached; tried again tomorrow
    'warm_up',  -- the ramp of a new base is reached; tried again tomorrow
    'budget',  -- the budget is spent; tried again tomorrow
    'size',  -- many more are due than usual
    'unsubscribes',  -- too many leave
    'approval',  -- the day was not approved; tried again tomorrow
    'control',  -- held back to measure the effect
    -- Held until codes are there: the pool of the step's coupon was used up. Before the text is
    -- made.
    'stock',
    'template',  -- the text could not be made for this contact; tried again tomorrow
    'due'  -- nothing stands in the way: sent
);

CREATE TYPE outbox.coupon_kind AS ENUM (
    'percent',
    'value'
);

CREATE TYPE outbox.coupon_role AS ENUM (
    'coupon',  -- promised in the text
    'incentive'  -- given to whoever finished the page
);

CREATE TYPE outbox.hit_kind AS ENUM (
    'view',  -- the link was fetched, by somebody or something
    'press',  -- a button on the page was pressed: a human
    'beacon'  -- somebody's hand was on the page
);

CREATE TYPE outbox.message_status AS ENUM (
    'draft',  -- decided and rendered; the day's gates are still ahead
    'queued',  -- may be sent
    'sending',  -- claimed by a sender: from here on it may be out
    'accepted',  -- the provider took it
    'delivered',  -- the provider says that the handset has it
    'undelivered',  -- the provider says that it never will
    'expired',  -- the provider gave up before the handset was reached
    'rejected',  -- the provider refused it for good: nothing was sent
    'unknown',  -- it cannot be proved whether it was sent: never sent again
    'cancelled'  -- ours: stop, return, gate, too late
);

CREATE TYPE outbox.reply_meaning AS ENUM (
    'stop',  -- opts out
    'unclear',  -- a person looks at it; nothing is sent to the number until then
    'start'  -- takes back a stop that was a reply
);

CREATE TYPE outbox.rule AS ENUM (
    'press',  -- a button on the page was pressed: a human
    'confirmed',  -- the same visitor pressed a button of the same link: a human
    'browser',  -- there, a browser that people use
    'no_sign',  -- nothing speaks against a human
    'not_a_get',  -- HEAD: asks whether the page is there, and reads nothing
    'prefetch',  -- the browser says that nobody has asked for the page yet
    'no_agent',  -- says nothing about itself
    'crawler',  -- says that it is a program
    'many_links',  -- one visitor with more links, in less time, than a person gets
    'too_soon'  -- faster after the text than anybody reads
);

-- What is compared.
CREATE TYPE outcome.estimand AS ENUM (
    'ladder',  -- from when a contact was drawn to the end of the ladder
    'first_step',  -- within attribution_days of when a contact was drawn
    'loaded'  -- within the window of an experiment that was loaded from a file
);

-- In the order of precedence: where several fit, the first.
CREATE TYPE outcome.outcome AS ENUM (
    'opted_out',  -- the person said stop during the episode
    'returned',  -- a signal came after dormant_since
    'active',  -- a message was opened
    'control',  -- held back, and did not come back
    'unsubscribed',  -- delivered and never opened: the journey gives up
    'unreachable'  -- nothing was delivered; nothing changes for the contact
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
    superseded_by bigint,  -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    contact_source text NOT NULL,
    source_contact_id text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    basis text,
    granted_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    wording text,
    language text,
    stood_as raw.row_status,  -- until it was superseded; null: it stands, or not known
    -- its source had it no more when the load superseded_by looked
    is_deleted boolean DEFAULT false NOT NULL
);
CREATE INDEX consent_by_load ON raw.consent (load_id);
CREATE UNIQUE INDEX consent_current ON raw.consent (source, record_key) WHERE (status <> 'superseded'::raw.row_status);
-- Refusals by the id that they are of, whichever source said them.
CREATE INDEX consent_excluded ON raw.consent (contact_source, source_contact_id) WHERE (status = 'excluded'::raw.row_status);
CREATE INDEX consent_past ON raw.consent (source, record_key) WHERE (status = 'superseded'::raw.row_status);
-- Refusals: rows of consents that are excluded, or say no, withdraw what their source has granted.
CREATE INDEX consent_refused ON raw.consent (source, contact_source, source_contact_id) WHERE ((status = ANY (ARRAY['loaded'::raw.row_status, 'excluded'::raw.row_status])) AND ((status = 'excluded'::raw.row_status) OR (COALESCE(granted_at, withdrawn_at) IS NULL)));
CREATE INDEX consent_superseded ON raw.consent (superseded_by) WHERE (superseded_by IS NOT NULL);
CREATE INDEX consent_waiting ON raw.consent (source, dated_on) WHERE (status = 'waiting'::raw.row_status);

-- The good rows. `record` is the row as the source wrote it; the typed columns are what of it can
-- be read; `problems` says, by column, why a value could not be ({"amount": "not a number"}).
-- record_key names the row within its source: the source's own id, or a hash of the mapped values
-- and the occurrence number.
CREATE TABLE raw.contact (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    record_hash text NOT NULL,
    dated_on date,
    status raw.row_status NOT NULL,
    superseded_by bigint,  -- the load that brought the newer version
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
    shop_account_id text,
    -- What kind of number a contact has, so that nothing is sent to a landline. NULL: not judged
    -- yet.
    phone_kind text,
    stood_as raw.row_status,  -- until it was superseded; null: it stands, or not known
    -- its source had it no more when the load superseded_by looked
    is_deleted boolean DEFAULT false NOT NULL
);
-- The load's own rows, from which core is kept up.
CREATE INDEX contact_by_load ON raw.contact (load_id);
-- The current row of each key; a superseded one is kept without being in the way.
CREATE UNIQUE INDEX contact_current ON raw.contact (source, record_key) WHERE (status <> 'superseded'::raw.row_status);
-- Whether a file only repeats what a later one has replaced.
CREATE INDEX contact_past ON raw.contact (source, record_key) WHERE (status = 'superseded'::raw.row_status);
-- What the load took back.
CREATE INDEX contact_superseded ON raw.contact (superseded_by) WHERE (superseded_by IS NOT NULL);
-- Rows whose day has not come.
CREATE INDEX contact_waiting ON raw.contact (source, dated_on) WHERE (status = 'waiting'::raw.row_status);

-- A file that was read whole. A file whose size and time are unchanged is not read again.
CREATE TABLE raw.file (
    file_id bigint GENERATED ALWAYS AS IDENTITY,
    load_id bigint NOT NULL,
    source text NOT NULL,
    path text NOT NULL,
    size_bytes bigint NOT NULL,
    modified_at timestamp with time zone NOT NULL,
    mapping_hash text NOT NULL,  -- of the source's YAML: another mapping reads the file again
    rows_read bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    newest_on date,
    problem text,  -- why the file as a whole could not be (fully) read
    is_complete boolean DEFAULT false NOT NULL,
    -- of a database or an interface: from where on it was asked, as a time in UTC or a key; null:
    -- all of it
    reads_from text,
    reads_to text,  -- and up to where, not included; null: all that there was
    CONSTRAINT file_pkey PRIMARY KEY (file_id)
);
CREATE INDEX file_by_path ON raw.file (source, path);

CREATE TABLE raw.interaction (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    record_hash text NOT NULL,
    dated_on date NOT NULL,
    status raw.row_status NOT NULL,
    superseded_by bigint,  -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    contact_source text NOT NULL,
    source_contact_id text NOT NULL,
    kind text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    amount numeric,
    currency text,
    product_id text,
    coupon_code text,
    stood_as raw.row_status,  -- until it was superseded; null: it stands, or not known
    -- its source had it no more when the load superseded_by looked
    is_deleted boolean DEFAULT false NOT NULL
);
CREATE INDEX interaction_by_load ON raw.interaction (load_id);
CREATE UNIQUE INDEX interaction_current ON raw.interaction (source, record_key) WHERE (status <> 'superseded'::raw.row_status);
CREATE INDEX interaction_past ON raw.interaction (source, record_key) WHERE (status = 'superseded'::raw.row_status);
CREATE INDEX interaction_superseded ON raw.interaction (superseded_by) WHERE (superseded_by IS NOT NULL);
CREATE INDEX interaction_waiting ON raw.interaction (source, dated_on) WHERE (status = 'waiting'::raw.row_status);

-- One attempt to load one source for one as_of.
CREATE TABLE raw.load (
    load_id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    entity text NOT NULL,
    as_of date NOT NULL,
    status raw.load_status DEFAULT 'running'::raw.load_status NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    rows_read bigint DEFAULT 0 NOT NULL,
    rows_new bigint DEFAULT 0 NOT NULL,
    rows_loaded bigint DEFAULT 0 NOT NULL,
    rows_waiting bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    fields_emptied bigint DEFAULT 0 NOT NULL,
    newest_on date,
    problem text,  -- why the day cannot go on
    message text,  -- what a person should know of files and rejects
    -- How many of a load's rows name nobody that a contact's card describes; NULL: not counted.
    rows_unknown bigint,
    -- What reading the files into raw took, on the wall's clock; started_at and finished_at may be
    -- simulated. NULL: not known.
    raw_seconds double precision,
    -- What taking the load from raw into core took, on the wall's clock. NULL: not known, or not
    -- taken yet.
    core_seconds double precision,
    tidied_at timestamp with time zone,  -- when what it replaced was emptied; null: not yet
    -- of a database or an interface: from where on it was asked, as a time in UTC or a key; null:
    -- all of it
    reads_from text,
    reads_to text,  -- up to where it was read: when the load asked, or the last key
    -- how far the loads of earlier days have come, as a time in UTC or a key; null: not at all
    cursor_before text,
    -- how far it has come itself, and from where the next day goes on; null: not at all
    cursor_after text,
    rows_changed bigint,  -- rows of before that say another thing now; null: not counted
    -- rows that were facts and are none any more: excluded now, or gone; null: not counted
    rows_taken_back bigint,
    rows_deleted bigint,  -- those of them that their source has no more; null: not counted
    CONSTRAINT load_pkey PRIMARY KEY (load_id)
);
CREATE INDEX load_by_source ON raw.load (source, as_of);

-- What there is to buy, as a shop's list says, so that a text can name what somebody looked at or
-- bought.
CREATE TABLE raw.product (
    load_id bigint NOT NULL,
    file_id bigint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,  -- source_product_id
    record_hash text NOT NULL,
    dated_on date,  -- always NULL: a product has no day to wait for
    status raw.row_status NOT NULL,
    superseded_by bigint,  -- the load that brought the newer version
    problems jsonb,
    record jsonb NOT NULL,
    source_product_id text NOT NULL,
    name text,
    category text,
    url text,
    image_url text,
    price numeric,
    currency text,
    available boolean,
    stood_as raw.row_status,  -- until it was superseded; null: it stands, or not known
    -- its source had it no more when the load superseded_by looked
    is_deleted boolean DEFAULT false NOT NULL
);
CREATE INDEX product_by_load ON raw.product (load_id);
CREATE UNIQUE INDEX product_current ON raw.product (source, record_key) WHERE (status <> 'superseded'::raw.row_status);
CREATE INDEX product_past ON raw.product (source, record_key) WHERE (status = 'superseded'::raw.row_status);
CREATE INDEX product_superseded ON raw.product (superseded_by) WHERE (superseded_by IS NOT NULL);
CREATE INDEX product_waiting ON raw.product (source, dated_on) WHERE (status = 'waiting'::raw.row_status);

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

-- What a source's rows ever said where its YAML looks: names of columns and keys, those that had a
-- value, and the words in the columns of `exclude` and `kind`. A few rows a source, so that a load
-- that matches no rule is compared with all before it without reading them again.
CREATE TABLE raw.seen (
    source text NOT NULL,
    entity text NOT NULL,
    what text NOT NULL,
    name text NOT NULL,  -- the file's column or key
    value text NOT NULL,  -- of a value: the word; else empty
    load_id bigint NOT NULL,  -- that saw it first
    CONSTRAINT seen_pkey PRIMARY KEY (source, entity, what, name, value),
    CONSTRAINT seen_what_check CHECK ((what = ANY (ARRAY['name'::text, 'filled'::text, 'value'::text])))
);

-- A card's own id is one of them: by it a card is told from an id that others only name. Of @phone
-- and @email only the last that the card has said is here, as a hash.
CREATE TABLE core.card_id (
    source text NOT NULL,
    source_contact_id text NOT NULL,  -- the card
    id_source text NOT NULL,  -- whose id it names; or @phone, @email
    id text NOT NULL,
    is_verified boolean DEFAULT true NOT NULL,
    hold core.hold DEFAULT 'whole'::core.hold NOT NULL,
    load_id bigint NOT NULL,  -- that named it first
    CONSTRAINT card_id_pkey PRIMARY KEY (source, source_contact_id, id_source, id)
);
CREATE INDEX card_by_id ON core.card_id (id_source, id);

-- Append-only: a change of mind is a new row. The latest effective row of a purpose counts.
CREATE TABLE core.consent (
    consent_id bigint GENERATED ALWAYS AS IDENTITY,
    contact_id bigint NOT NULL,
    source text NOT NULL,
    record_key text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    basis text,
    granted_at timestamp with time zone,
    withdrawn_at timestamp with time zone,
    -- granted_at, or withdrawn_at of a bare withdrawal
    effective_at timestamp with time zone NOT NULL,
    wording text,
    language text,
    load_id bigint NOT NULL,
    CONSTRAINT consent_pkey PRIMARY KEY (contact_id, consent_id)
);
CREATE INDEX consent_by_load ON core.consent (load_id);
-- Contacts who have ever withdrawn something: few.
CREATE INDEX consent_withdrawn ON core.consent (contact_id) WHERE (withdrawn_at IS NOT NULL);

CREATE TABLE core.contact (
    contact_id bigint GENERATED BY DEFAULT AS IDENTITY,
    phone_e164 text,
    phone_hash text,  -- HMAC of phone_e164: what logs and suppression may hold
    email text,
    first_name text,
    last_name text,
    language text,  -- ISO 639-1
    country text,  -- ISO 3166-1 alpha-2
    time_zone text,  -- IANA
    lifecycle_class text,
    created_on date,
    merged_into bigint,
    status core.contact_status DEFAULT 'active'::core.contact_status NOT NULL,
    first_source text NOT NULL,  -- the first identity: what the control arm is drawn by
    first_source_contact_id text NOT NULL,
    first_seen_on date NOT NULL,  -- as_of of the first load that named the contact
    updated_load_id bigint,
    phone_kind core.phone_kind,
    CONSTRAINT contact_pkey PRIMARY KEY (contact_id)
);
CREATE INDEX contact_by_email ON core.contact (email) WHERE (email IS NOT NULL);
CREATE INDEX contact_by_load ON core.contact (updated_load_id);
CREATE INDEX contact_by_number ON core.contact (phone_e164) WHERE (phone_e164 IS NOT NULL);
CREATE INDEX contact_by_phone ON core.contact (phone_hash) WHERE (phone_hash IS NOT NULL);
CREATE INDEX contact_merged ON core.contact (merged_into) WHERE (merged_into IS NOT NULL);

-- Every contact has one row, from its first load on. last_*_on are the last dates by kind.
CREATE TABLE core.contact_activity (
    contact_id bigint NOT NULL,
    last_purchase_on date,
    last_visit_on date,
    last_loyalty_on date,
    last_email_open_on date,
    last_email_click_on date,
    last_reply_on date,
    last_login_on date,
    last_signal_on date,  -- the latest of the kinds that the policy calls signals
    first_interaction_on date,
    purchases integer DEFAULT 0 NOT NULL,
    median_days_between_purchases double precision,
    visible_on date NOT NULL,  -- the earlier of created_on and the first interaction
    updated_load_id bigint NOT NULL,
    -- days between purchases, shortest first
    purchase_gaps integer[] DEFAULT '{}'::integer[] NOT NULL,
    CONSTRAINT contact_activity_pkey PRIMARY KEY (contact_id)
);
-- The contacts that may reach the first threshold: the only ones that a day looks at.
CREATE INDEX activity_by_load ON core.contact_activity (updated_load_id);

-- What a contact said of themselves, in answers that the policy calls attributes. The latest holds.
CREATE TABLE core.contact_attribute (
    contact_id bigint NOT NULL,
    name text NOT NULL,
    value jsonb NOT NULL,  -- text, number, boolean, or a list of texts
    said_at timestamp with time zone NOT NULL,
    message_id uuid NOT NULL,  -- the message whose page asked
    CONSTRAINT contact_attribute_pkey PRIMARY KEY (contact_id, name)
);

-- Who a source's id is. A merge repoints contact_id and keeps original_contact_id, so that it can
-- be undone.
CREATE TABLE core.contact_identity (
    contact_id bigint NOT NULL,
    source text NOT NULL,
    source_contact_id text NOT NULL,
    original_contact_id bigint NOT NULL,
    load_id bigint NOT NULL,
    CONSTRAINT contact_identity_pkey PRIMARY KEY (source, source_contact_id)
);
CREATE INDEX identity_by_contact ON core.contact_identity (contact_id);

-- What the derived columns above were made with; another value means: make them anew.
CREATE TABLE core.derived_from (
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT derived_from_pkey PRIMARY KEY (name)
);

-- The other digests of a number that is written in several ways, both ways round. Apart from
-- core.phone_alias, which the link service reads: from what is made without a key, a number is
-- guessed.
CREATE TABLE core.digest_alias (
    digest text NOT NULL,
    alias_digest text NOT NULL,
    CONSTRAINT digest_alias_pkey PRIMARY KEY (digest, alias_digest)
);

\ir objects/outbox/code_keys.sql

-- One per (source, source_event_id); contact_id leads the key so that the table can be distributed.
CREATE TABLE core.interaction (
    contact_id bigint NOT NULL,
    source text NOT NULL,
    source_event_id text NOT NULL,
    kind core.interaction_kind NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    occurred_on date NOT NULL,
    amount numeric,
    currency text,
    product_id text,
    coupon_code text,
    loaded_at timestamp with time zone NOT NULL,
    load_id bigint NOT NULL,
    -- Of a refund: it takes a purchase back whole. The purchase is kind `refund` with its amount,
    -- and settled as well, until the refund is taken back itself. Neither is part of a revenue.
    is_settled boolean,
    CONSTRAINT interaction_pkey PRIMARY KEY (contact_id, occurred_on, source, source_event_id)
) PARTITION BY RANGE (occurred_on);
-- Orders by the codes named in them: most have none.
CREATE INDEX interaction_by_code ON core.interaction USING gin (outbox.code_keys(coupon_code)) WHERE (coupon_code IS NOT NULL);
CREATE INDEX interaction_by_product ON core.interaction (product_id, source, occurred_on DESC, occurred_at DESC) WHERE ((product_id IS NOT NULL) AND (kind = ANY (ARRAY['purchase'::core.interaction_kind, 'loyalty'::core.interaction_kind])));
-- Contacts who ever gave something back: few.
CREATE INDEX interaction_refunds ON core.interaction (contact_id) WHERE (kind = 'refund'::core.interaction_kind);

-- Who was taken for whom: append-only, where core.contact.merged_into says how it is now.
CREATE TABLE core.merge (
    merge_id bigint GENERATED ALWAYS AS IDENTITY,
    contact_id bigint NOT NULL,
    merged_into bigint,  -- null: a contact of their own again
    load_id bigint,  -- that told it; null: before this was kept
    CONSTRAINT merge_pkey PRIMARY KEY (contact_id, merge_id)
);

-- The files of include/sql/objects that this warehouse has, so that a migrate which finds nothing
-- new does nothing, and drops what no file makes any more.
CREATE TABLE core.object (
    name text NOT NULL,  -- the file: core/withdrawal.sql is core.withdrawal
    applied text NOT NULL,  -- digest of all files and the revision; '' when set aside
    -- of one set aside: what gives back its owner and grants
    kept text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT object_pkey PRIMARY KEY (name)
);

-- The other hashes of a number: of its other spellings (a mobile prefix that is left out, a
-- numbering plan that has changed), and of other keys, should there be several. Both ways round, so
-- that one look-up finds all. A hash that is here is never rewritten: what rests on it is found by
-- the others.
CREATE TABLE core.phone_alias (
    phone_hash text NOT NULL,
    alias_hash text NOT NULL,
    CONSTRAINT phone_alias_pkey PRIMARY KEY (phone_hash, alias_hash)
);

-- The keys that phone numbers are hashed with, by fingerprint
CREATE TABLE core.phone_key (
    key_id integer NOT NULL,
    prefix text NOT NULL,  -- what its hashes begin with; '' those of the first
    salt text,
    fingerprint text,  -- scrypt; NULL of a key that was lost before it was noted
    noted_at timestamp with time zone NOT NULL,
    swept_to bigint NOT NULL,  -- contacts up to this one are known under it, too
    swept_at timestamp with time zone,  -- when all were
    lost_at timestamp with time zone,  -- it need not be given any more: nobody has it
    retired_at timestamp with time zone,  -- it need not be given any more: nothing rests on it
    CONSTRAINT phone_key_pkey PRIMARY KEY (key_id),
    CONSTRAINT phone_key_check CHECK (((salt IS NULL) = (fingerprint IS NULL))),
    CONSTRAINT phone_key_check1 CHECK (((fingerprint IS NOT NULL) OR (lost_at IS NOT NULL)))
);

-- Not a table of people: on Citus a reference table, a copy on every node. The key begins with the
-- id, by which products are looked up whose source is not known.
CREATE TABLE core.product (
    source text NOT NULL,
    source_product_id text NOT NULL,
    name text,
    category text,
    url text,  -- https
    image_url text,  -- https
    price numeric,
    currency text,
    is_available boolean NOT NULL,  -- an unavailable product is recommended to nobody
    load_id bigint NOT NULL,
    CONSTRAINT product_pkey PRIMARY KEY (source_product_id, source)
);

-- The sources of interactions, and whose product ids theirs are. Not said (NULL): their own, or
-- those of the one source that knows the id.
CREATE TABLE core.product_source (
    source text NOT NULL,
    product_source text,
    CONSTRAINT product_source_pkey PRIMARY KEY (source)
);

-- Append-only but for lifted_at. contact_id 0 is a number that nobody here has: a stop is kept all
-- the same, for the day somebody has it.
CREATE TABLE core.suppression (
    suppression_id bigint GENERATED ALWAYS AS IDENTITY,
    contact_id bigint NOT NULL,
    phone_hash text,
    channel text NOT NULL,
    reason core.suppression_reason NOT NULL,
    source text NOT NULL,  -- what wrote it: landing, reply, receipt, journey, import
    since timestamp with time zone NOT NULL,
    lifted_at timestamp with time zone,
    until date,  -- of a break: the first brand day after it
    is_lifted_by_open boolean,
    -- Whom it holds: the person and the number it was said on; the number alone; or the address
    -- alone
    scope core.suppression_scope GENERATED ALWAYS AS (
CASE
    WHEN ((contact_id <> 0) AND (reason <> ALL (ARRAY['hard_bounce'::core.suppression_reason, 'number_reassigned'::core.suppression_reason]))) THEN 'person'::core.suppression_scope
    WHEN (channel = 'email'::text) THEN 'address'::core.suppression_scope
    ELSE 'number'::core.suppression_scope
END) STORED NOT NULL,
    CONSTRAINT suppression_pkey PRIMARY KEY (contact_id, suppression_id)
);
CREATE INDEX suppression_by_phone ON core.suppression (phone_hash) WHERE (lifted_at IS NULL);
CREATE INDEX suppression_lifted ON core.suppression (lifted_at) WHERE (lifted_at IS NOT NULL);
CREATE INDEX suppression_paused ON core.suppression (until) WHERE ((lifted_at IS NULL) AND (until IS NOT NULL));
CREATE UNIQUE INDEX suppression_standing ON core.suppression (contact_id, channel, reason, COALESCE(phone_hash, ''::text)) WHERE (lifted_at IS NULL);

-- What the words of the enums mean, for somebody who never saw the database. Views, the page and
-- the terminal read them here, so that each sentence lives once.
CREATE TABLE core.word (
    about text NOT NULL,  -- the enum: cohort.reason
    word text NOT NULL,  -- its value; text, as a value added by a migration may not be used in it
    label text NOT NULL,  -- a few words, for a table
    sentence text,  -- what it means for the customer
    CONSTRAINT word_pkey PRIMARY KEY (about, word)
);

-- How far the simulated clock of this home has come, and the wall's time when it did: a home whose
-- days were decided long after their time plays the past, and must not be ended by a run of today.
CREATE TABLE cohort.clock (
    is_only boolean DEFAULT true NOT NULL,
    simulated_now timestamp with time zone NOT NULL,
    noted_at timestamp with time zone NOT NULL,  -- of the wall
    CONSTRAINT clock_pkey PRIMARY KEY (is_only),
    CONSTRAINT clock_is_only_check CHECK (is_only)
);

-- The latest day that was decided, one row a day: the journey only moves forward.
CREATE TABLE cohort.day (
    as_of date NOT NULL,
    policy_version text NOT NULL,
    decided_at timestamp with time zone NOT NULL,
    last_load_id bigint NOT NULL,  -- the loads up to this one were taken into account
    contacts bigint DEFAULT 0 NOT NULL,  -- that the journey knows: the base
    sends integer DEFAULT 0 NOT NULL,  -- drafted
    released_at timestamp with time zone,  -- when its gates let it go
    stopped_by text,  -- the gate that stopped it
    control_salt text,  -- the word that drew the control group; null: not kept yet
    control_share double precision,  -- the share of all that it drew
    variants jsonb,  -- how those of steps were drawn: policy.variants; null: no step has any
    CONSTRAINT day_pkey PRIMARY KEY (as_of)
);

-- Every evaluation of an episode, with its reason.
CREATE TABLE cohort.decision (
    as_of date NOT NULL,
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    inactive_days integer NOT NULL,
    step text NOT NULL,
    prior_sends integer NOT NULL,
    prior_opens integer NOT NULL,
    action cohort.action NOT NULL,
    reason cohort.reason NOT NULL,
    policy_version text NOT NULL,
    -- Final: not lifted by waiting, so the next threshold is looked at next. Others: tomorrow.
    is_final boolean DEFAULT true NOT NULL,
    variant text,  -- of the step, where nothing stood in the way; null: none, or it has one text
    CONSTRAINT decision_pkey PRIMARY KEY (contact_id, as_of)
);
CREATE INDEX decision_by_day ON cohort.decision (as_of, step);

-- Since when each contact is quiet, by the policy's clock that is (or was) the first to reach its
-- first step. Made from core.contact_activity of the contacts that loads have touched.
CREATE TABLE cohort.dormancy (
    contact_id bigint NOT NULL,
    behaviour text NOT NULL,  -- the clock: `any`, or one of the policy's behaviours
    dormant_since date NOT NULL,  -- the last of its signals, or when the contact became visible
    pace double precision NOT NULL,  -- what the ladder's days are multiplied by for this contact
    reaches_on date,  -- the first step; null once its episode was opened
    active_closed_on date,  -- when an episode last closed as `active`: starts the cooldown
    CONSTRAINT dormancy_pkey PRIMARY KEY (contact_id)
);
-- The contacts that may reach the first step: the only ones that a day looks at.
CREATE INDEX dormancy_to_open ON cohort.dormancy (reaches_on);

CREATE TABLE cohort.episode (
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm,  -- written when first eligible, then never changed
    opened_on date NOT NULL,  -- as_of of the day that opened it
    first_step text,  -- the step at which it was first eligible to be sent something
    first_eligible_on date,
    next_step text,
    next_due_on date,  -- null once no step can follow
    done_days integer DEFAULT 0 NOT NULL,  -- threshold of the last step that was sent or skipped
    last_action cohort.action,
    last_sent_on date,  -- as_of of the last send
    last_final_on date,  -- as_of of the last send or final hold
    returned_on date,  -- the first signal after dormant_since
    closed_on date,
    behaviour text DEFAULT 'any'::text NOT NULL,  -- the clock that reached its first step
    pace double precision DEFAULT 1 NOT NULL,  -- of the contact: multiplies the ladder's days
    done_steps text[] DEFAULT '{}'::text[] NOT NULL,  -- sent, skipped or control: never again
    done_position integer DEFAULT 0 NOT NULL,  -- the highest of them on the ladder
    last_step text,  -- of its last decision
    last_days integer,  -- inactive days at that decision
    last_position integer DEFAULT 0 NOT NULL,  -- the rung passed last; a hold that waits has not
    is_waiting boolean DEFAULT false NOT NULL,  -- held back for something that passes
    is_opened boolean DEFAULT false NOT NULL,  -- a human opened one of its messages
    CONSTRAINT episode_pkey PRIMARY KEY (contact_id, dormant_since)
);
CREATE INDEX episode_due ON cohort.episode (next_due_on) WHERE (closed_on IS NULL);
CREATE INDEX episode_open ON cohort.episode (contact_id) WHERE (closed_on IS NULL);
CREATE INDEX episode_opened ON cohort.episode (last_sent_on) WHERE ((closed_on IS NULL) AND is_opened);
CREATE INDEX episode_returned ON cohort.episode (returned_on) WHERE ((closed_on IS NULL) AND (returned_on IS NOT NULL));
CREATE INDEX episode_to_close ON cohort.episode (last_final_on) WHERE ((closed_on IS NULL) AND (next_due_on IS NULL));

-- What each gate said of a day.
CREATE TABLE cohort.gate (
    as_of date NOT NULL,
    gate text NOT NULL,  -- size, unsubscribes, budget, approval
    is_open boolean NOT NULL,
    measured double precision,  -- what it looked at, and the limit, in its own unit
    allowed double precision,
    said text NOT NULL,  -- for a person
    judged_at timestamp with time zone NOT NULL,
    CONSTRAINT gate_pkey PRIMARY KEY (as_of, gate)
);

-- What each version of the policy said, from its first day on.
CREATE TABLE cohort.policy (
    policy_version text NOT NULL,
    text text NOT NULL,  -- the file, as it was
    first_as_of date NOT NULL,  -- the first day that it decided
    CONSTRAINT policy_pkey PRIMARY KEY (policy_version)
);

-- A draw that anybody can check: the commitment is shown before the first entry, the seed after the
-- draw. Until then whoever reads the seed here could tell who will win.
CREATE TABLE outbox.contest (
    contest text NOT NULL,
    seed text NOT NULL,
    commitment text NOT NULL,  -- SHA-256 of the seed, in hex
    seen_at timestamp with time zone NOT NULL,
    closes_on date,  -- as the policy said at the draw
    winners integer,
    drawn_at timestamp with time zone,
    entries bigint,  -- tickets in the draw
    entries_digest text,  -- SHA-256 of the tickets, sorted, each with a line feed
    CONSTRAINT contest_pkey PRIMARY KEY (contest)
);

CREATE TABLE outbox.contest_entry (
    contact_id bigint NOT NULL,
    contest text NOT NULL,
    phone_hash text,  -- one entry a number: looked for under a lock
    message_id uuid NOT NULL,
    ticket text NOT NULL,  -- random, shown to the entrant: what is drawn
    confirmed jsonb NOT NULL,  -- what they ticked: {"age": 18, "countries": ["IT"]}
    entered_at timestamp with time zone NOT NULL,
    place bigint,  -- in the draw, from 1; NULL: not drawn, or not in the draw
    CONSTRAINT contest_entry_pkey PRIMARY KEY (contact_id, contest)
);
CREATE INDEX contest_entry_by_phone ON outbox.contest_entry (contest, phone_hash);

\ir objects/outbox/code_key.sql

CREATE TABLE outbox.coupon (
    code text NOT NULL,
    message_id uuid NOT NULL,  -- one coupon a message, made with it, never reused
    contact_id bigint NOT NULL,
    kind outbox.coupon_kind NOT NULL,
    value numeric NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    redeemed_at timestamp with time zone,
    order_ref text,
    role outbox.coupon_role DEFAULT 'coupon'::outbox.coupon_role NOT NULL,
    minimum numeric,  -- what an order must come to, in the brand's currency
    starts_at timestamp with time zone,  -- null: good at once
    -- -infinity: before this was noted
    made_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    -- The brand's midnight before made_at: an order that is dated without a time lies there.
    day_began_at timestamp with time zone,
    code_key text GENERATED ALWAYS AS (outbox.code_key(code)) STORED,
    -- What the minimum is in. NULL: from before this was noted; the order's own is taken for it.
    currency text,
    CONSTRAINT coupon_pkey PRIMARY KEY (code)
);
CREATE INDEX coupon_by_contact ON outbox.coupon (contact_id);
-- However it is typed, a code is one coupon, and so one contact's.
CREATE UNIQUE INDEX coupon_by_key ON outbox.coupon (code_key);
CREATE INDEX coupon_by_message ON outbox.coupon (message_id);

-- Raw and append-only: who or what it was is judged by outbox.judged_hit.
CREATE TABLE outbox.hit (
    hit_id bigint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL,
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    kind outbox.hit_kind NOT NULL,
    method text NOT NULL,
    user_agent text NOT NULL,
    purpose text NOT NULL,  -- of the Purpose and Sec-Purpose headers
    hit_key uuid DEFAULT gen_random_uuid() NOT NULL,
    address_hash text DEFAULT ''::text NOT NULL,
    CONSTRAINT hit_pkey PRIMARY KEY (contact_id, hit_id)
);
CREATE UNIQUE INDEX hit_by_key ON outbox.hit (contact_id, hit_key);
CREATE INDEX hit_by_message ON outbox.hit (message_id);
CREATE INDEX hit_by_time ON outbox.hit (at);

-- Looked up by code, by strangers.
CREATE TABLE outbox.link (
    code text NOT NULL,
    message_id uuid NOT NULL,
    contact_id bigint NOT NULL,
    target text NOT NULL,  -- landing:survey, landing:contest, landing:coupon
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT link_pkey PRIMARY KEY (code)
);
CREATE INDEX link_by_message ON outbox.link (message_id);

-- The key is the rule "each step at most once an episode"; message_id is its UUIDv5.
CREATE TABLE outbox.message (
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    dormant_since date NOT NULL,
    step text NOT NULL,
    channel text NOT NULL,
    as_of date NOT NULL,
    phone_hash text NOT NULL,
    provider text,  -- the one it was handed to
    body text,
    encoding text NOT NULL,  -- GSM-7 or UCS-2
    segments integer NOT NULL,
    not_before timestamp with time zone NOT NULL,
    not_after timestamp with time zone NOT NULL,
    status outbox.message_status NOT NULL,
    status_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    claimed_by bigint,  -- the advisory lock that the claimer's session holds
    claimed_at timestamp with time zone,  -- by the wall, even in a simulation: providers live by it
    bulk_id text,
    provider_message_id text,
    error_code text,  -- the provider's raw code, or our reason to cancel
    price numeric,  -- of the whole message, in currency
    currency text,
    accepted_at timestamp with time zone,
    delivered_at timestamp with time zone,
    -- What a message is expected to cost, in the brand's currency, before the provider says.
    expected_price numeric DEFAULT 0 NOT NULL,
    -- when it was last refused as everybody was, with a code on no list; it is queued, behind the
    -- others
    refused_at timestamp with time zone,
    variant text,  -- of the step, whose text it is; null: the step has one
    CONSTRAINT message_pkey PRIMARY KEY (contact_id, dormant_since, step, channel)
);
CREATE INDEX message_by_day ON outbox.message (as_of, step);
CREATE UNIQUE INDEX message_by_id ON outbox.message (message_id, contact_id);
CREATE INDEX message_by_phone ON outbox.message (phone_hash, step);
CREATE INDEX message_draft ON outbox.message (as_of) WHERE (status = 'draft'::outbox.message_status);
-- A bulk's messages that a provider's log is asked about: as outbox/handed names them.
CREATE INDEX message_handed ON outbox.message (bulk_id) WHERE ((status = ANY (ARRAY['sending'::outbox.message_status, 'unknown'::outbox.message_status, 'accepted'::outbox.message_status])) OR ((price IS NULL) AND (status = ANY (ARRAY['delivered'::outbox.message_status, 'undelivered'::outbox.message_status, 'expired'::outbox.message_status]))));
CREATE INDEX message_in_doubt ON outbox.message (bulk_id) WHERE (status = ANY (ARRAY['sending'::outbox.message_status, 'unknown'::outbox.message_status]));
CREATE INDEX message_in_flight ON outbox.message (accepted_at) WHERE (status = 'accepted'::outbox.message_status);
CREATE INDEX message_refused ON outbox.message (error_code) WHERE ((status = 'queued'::outbox.message_status) AND (refused_at IS NOT NULL));
CREATE INDEX message_to_send ON outbox.message (not_before, not_after, contact_id) WHERE (status = 'queued'::outbox.message_status);
CREATE INDEX message_unread ON outbox.message (as_of) WHERE ((status = 'cancelled'::outbox.message_status) AND (error_code = 'unread_reply'::text));

CREATE TABLE outbox.pace (
    key text NOT NULL,
    next_at timestamp with time zone NOT NULL,
    CONSTRAINT pace_pkey PRIMARY KEY (key)
) WITH (fillfactor=50);

-- Codes that the shop made and somebody uploaded. One that was given to a message belongs to that
-- message for ever, sent or not: it is never given to another.
CREATE TABLE outbox.pool_code (
    code_key text NOT NULL,  -- in one pool, once
    pool text NOT NULL,
    code text NOT NULL,  -- as the shop writes it
    place bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which codes are given out
    added_at timestamp with time zone NOT NULL,
    contact_id bigint,
    message_id uuid,
    role outbox.coupon_role,
    taken_at timestamp with time zone,
    CONSTRAINT pool_code_pkey PRIMARY KEY (code_key),
    CONSTRAINT pool_code_check CHECK ((num_nulls(contact_id, message_id, role, taken_at) = ANY (ARRAY[0, 4]))),
    CONSTRAINT pool_code_check1 CHECK ((code_key = outbox.code_key(code))),
    CONSTRAINT pool_code_code_key_check CHECK ((code_key <> ''::text))
);
CREATE INDEX pool_code_free ON outbox.pool_code (pool, place) WHERE (message_id IS NULL);
CREATE INDEX pool_code_taken ON outbox.pool_code (message_id) WHERE (message_id IS NOT NULL);

-- Everything a provider said about a message, as it said it; mapped afterwards.
CREATE TABLE outbox.receipt (
    receipt_id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    message_id text NOT NULL,  -- as the provider wrote it: it may be no message of ours
    status outbox.message_status NOT NULL,
    raw_code text NOT NULL,
    segments integer,
    price numeric,
    currency text,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    applied_at timestamp with time zone,
    suppress core.suppression_reason,
    CONSTRAINT receipt_pkey PRIMARY KEY (receipt_id),
    CONSTRAINT receipt_suppress_check CHECK ((suppress = ANY (ARRAY['hard_bounce'::core.suppression_reason, 'opted_out'::core.suppression_reason, 'number_reassigned'::core.suppression_reason]))),
    CONSTRAINT receipt_provider_message_id_status_raw_code_key UNIQUE (provider, message_id, status, raw_code)
);
CREATE INDEX receipt_to_apply ON outbox.receipt (receipt_id) WHERE (applied_at IS NULL);

CREATE TABLE outbox.reply (
    reply_id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    provider_reply_id text NOT NULL,
    phone_hash text NOT NULL,
    text text NOT NULL,
    meaning outbox.reply_meaning NOT NULL,
    received_at timestamp with time zone NOT NULL,
    reviewed_at timestamp with time zone,  -- a person read it, or nothing in it needed one
    counted_at timestamp with time zone,  -- when it was taken for a stop unread
    CONSTRAINT reply_pkey PRIMARY KEY (reply_id),
    CONSTRAINT reply_provider_provider_reply_id_key UNIQUE (provider, provider_reply_id)
);
-- What a number replied, by the number.
CREATE INDEX reply_by_phone ON outbox.reply (phone_hash);
CREATE INDEX reply_counted ON outbox.reply (counted_at) WHERE ((counted_at IS NOT NULL) AND (reviewed_at IS NULL));
CREATE INDEX reply_reviewed ON outbox.reply (reviewed_at) WHERE (meaning <> 'stop'::outbox.reply_meaning);
CREATE INDEX reply_start ON outbox.reply (phone_hash, received_at);
CREATE INDEX reply_stop ON outbox.reply (phone_hash, received_at) WHERE (meaning = 'stop'::outbox.reply_meaning);
CREATE INDEX reply_to_read ON outbox.reply (reply_id) WHERE ((meaning = 'unclear'::outbox.reply_meaning) AND (reviewed_at IS NULL));
CREATE INDEX reply_to_review ON outbox.reply (phone_hash) WHERE ((meaning = 'unclear'::outbox.reply_meaning) AND (reviewed_at IS NULL));

-- A survey that was answered, once a message; answering again changes it.
CREATE TABLE outbox.survey (
    contact_id bigint NOT NULL,
    message_id uuid NOT NULL,
    step text NOT NULL,
    answers jsonb NOT NULL,  -- by question; a text may hold anything, personal data too
    policy_version text NOT NULL,  -- of the questions that were answered last
    answered_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    -- A survey's questions and the answers, as they read when they were answered, in the brand's
    -- language: {"reason": {"place": 1, "question": "What has kept you away?", "answer": "The
    -- prices"}}. The answer is left out where it is in the person's own words.
    words jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT survey_pkey PRIMARY KEY (contact_id, message_id)
);

\ir objects/outbox/verdict_of.sql

-- What the newest rules say of a hit; written with it, and again by `reengage judge`.
CREATE TABLE outbox.verdict (
    contact_id bigint NOT NULL,
    hit_id bigint NOT NULL,
    version integer NOT NULL,  -- of the rules: web/hits.py
    rule outbox.rule NOT NULL,
    verdict text GENERATED ALWAYS AS (outbox.verdict_of(rule, version)) STORED NOT NULL,
    CONSTRAINT verdict_pkey PRIMARY KEY (contact_id, hit_id)
);

-- What a provider called in, raw, once it was known to be the provider. Bodies hold numbers: a body
-- is forgotten as soon as it is mapped, and its digest (keyed) stays, so that a repetition is
-- known.
CREATE TABLE outbox.webhook (
    webhook_id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    digest text NOT NULL,
    url text NOT NULL,  -- as the provider called it: its query may name the message
    body bytea,
    received_at timestamp with time zone NOT NULL,
    mapped_at timestamp with time zone,
    error text,  -- why it could not be mapped: the body stays, for the next run
    CONSTRAINT webhook_pkey PRIMARY KEY (webhook_id),
    CONSTRAINT webhook_check CHECK (((mapped_at IS NULL) OR (body IS NULL))),
    CONSTRAINT webhook_provider_digest_key UNIQUE (provider, digest)
);
CREATE INDEX webhook_to_map ON outbox.webhook (webhook_id) WHERE (mapped_at IS NULL);
-- What could not be read of what a provider told.
CREATE INDEX webhook_unread ON outbox.webhook (webhook_id) WHERE ((mapped_at IS NULL) AND (error IS NOT NULL));

CREATE TABLE outcome.contact_outcome (
    contact_id bigint NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm,
    outcome outcome.outcome NOT NULL,
    decided_on date NOT NULL,
    steps_sent integer NOT NULL,
    first_open_at timestamp with time zone,
    returned_on date,
    revenue numeric DEFAULT 0 NOT NULL,
    cost numeric DEFAULT 0 NOT NULL,
    closed_at timestamp with time zone,  -- hits up to then counted; null: not known, never changed
    if_unopened outcome.outcome,  -- the outcome, had nobody opened anything
    other_revenue jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT contact_outcome_pkey PRIMARY KEY (contact_id, dormant_since)
);
-- What a day looks up by date, so that it does not read all that ever ended or was lifted.
CREATE INDEX outcome_by_day ON outcome.contact_outcome (decided_on);

-- Counted on the as_of of the decision; a return on the last step before it.
CREATE TABLE outcome.daily_step (
    as_of date NOT NULL,
    step text NOT NULL,
    arm cohort.arm NOT NULL,
    due bigint NOT NULL,
    sent bigint NOT NULL,
    delivered bigint NOT NULL,
    opened bigint NOT NULL,
    returned bigint NOT NULL,
    opted_out bigint NOT NULL,
    revenue numeric NOT NULL,
    cost numeric NOT NULL,
    -- hits up to then counted; null: counted before it was kept
    counted_at timestamp with time zone,
    -- A figure is of one currency, the brand's: what came in others stands beside it, by currency,
    -- and is never added to it. {"JPY": 10000}; "?" is a currency that could not be read.
    other_revenue jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT daily_step_pkey PRIMARY KEY (as_of, step, arm)
);

-- What a group differs by from the control group: contacts by their first draw, whose window is
-- over.
CREATE TABLE outcome.effect (
    experiment text NOT NULL,
    estimand outcome.estimand NOT NULL,
    arm text NOT NULL,  -- the group that is held against control; '': all of them together
    step text NOT NULL,  -- the step at which they were drawn; '': all
    -- all; planned: the first planned_units contacts, counted once; or a slice, which is
    -- exploratory
    dimension text NOT NULL,
    value text NOT NULL,  -- of the dimension; '': not known, or of all
    from_as_of date NOT NULL,  -- of the first draw in it
    to_as_of date NOT NULL,  -- of the last draw in it
    treated bigint NOT NULL,
    control bigint NOT NULL,
    treated_returned bigint NOT NULL,
    control_returned bigint NOT NULL,
    difference double precision NOT NULL,  -- of the shares that came back, treated less control
    -- 95 %, Newcombe's hybrid score: of a single look at these contacts, chosen beforehand
    ci_low double precision NOT NULL,
    ci_high double precision NOT NULL,  -- as ci_low
    wald_low double precision NOT NULL,  -- 95 %, as older papers print it; only to compare
    wald_high double precision NOT NULL,  -- as wald_low
    always_low double precision,  -- 95 %, however often somebody looks; only of all contacts
    always_high double precision,  -- as always_low
    -- post-stratified by step, class, language, purchases before and the control share; only of all
    -- contacts
    adjusted_difference double precision,
    adjusted_low double precision,  -- 95 %, of a single look
    adjusted_high double precision,  -- 95 %, of a single look
    incremental_returns double precision NOT NULL,  -- difference times treated
    treated_revenue numeric NOT NULL,  -- of all of them, nothing cut down
    control_revenue numeric NOT NULL,  -- of all of them, nothing cut down
    revenue_cap numeric,  -- a contact who spent more counts as much; null: nobody is cut down
    revenue_difference double precision NOT NULL,  -- a contact, cut down at revenue_cap
    revenue_low double precision,  -- 95 %, Welch, of a single look
    revenue_high double precision,  -- 95 %, Welch, of a single look
    -- what they spent in the year before taken out (CUPED); only of all contacts
    revenue_adjusted_difference double precision,
    revenue_adjusted_low double precision,
    revenue_adjusted_high double precision,
    incremental_revenue double precision NOT NULL,  -- revenue_difference times treated
    treated_cost numeric NOT NULL,
    control_cost numeric NOT NULL,
    -- what the treated cost more, over their incremental returns; null: none came back because of
    -- it
    cost_per_incremental_return double precision,
    cost_low double precision,  -- 95 %, Fieller; null: it has no bounds
    cost_high double precision,  -- 95 %, Fieller; null: it has no bounds
    -- of all of them, what coupons took off their orders
    treated_discount numeric DEFAULT 0 NOT NULL,
    -- of all of them, what coupons took off their orders
    control_discount numeric DEFAULT 0 NOT NULL,
    -- a contact, less what coupons took off, cut down at revenue_cap; null: from before it was
    -- counted
    net_revenue_difference double precision,
    net_revenue_low double precision,  -- 95 %, Welch, of a single look
    net_revenue_high double precision,  -- 95 %, Welch, of a single look
    -- as cost_per_incremental_return, of texts and of what coupons took off
    outlay_per_incremental_return double precision,
    outlay_low double precision,  -- 95 %, Fieller; null: it has no bounds
    outlay_high double precision,  -- 95 %, Fieller; null: it has no bounds
    CONSTRAINT effect_pkey PRIMARY KEY (experiment, estimand, arm, dimension, value),
    CONSTRAINT effect_dimension_check CHECK ((dimension = ANY (ARRAY['all'::text, 'planned'::text, 'step'::text, 'class'::text, 'language'::text, 'month'::text])))
);

-- The first decision of a contact that would have sent something, since a salt began: the only one
-- that is drawn by chance alone. It never changes its group, whatever becomes of the contact.
CREATE TABLE outcome.eligible (
    contact_id bigint NOT NULL,
    salt text NOT NULL,
    dormant_since date NOT NULL,
    arm cohort.arm NOT NULL,
    eligible_on date NOT NULL,  -- as_of of that decision
    step text NOT NULL,
    behaviour text NOT NULL,  -- the clock of the quiet spell: which signals count
    -- of that day: of the control group, or of the variant that the other is held against
    control_share double precision NOT NULL,
    lifecycle_class text,
    language text,
    purchases_before integer NOT NULL,  -- in the year up to that day
    spent_before numeric NOT NULL,  -- in the year up to that day, in the experiment's currency
    returned_on date,  -- the first signal after that day, in the longer window
    -- spent from the return to the end of the first step's window, less what was given back
    step_revenue numeric DEFAULT 0 NOT NULL,
    ladder_revenue numeric DEFAULT 0 NOT NULL,  -- the same, to the end of the ladder
    step_cost numeric DEFAULT 0 NOT NULL,  -- of texts decided in the first step's window
    ladder_cost numeric DEFAULT 0 NOT NULL,  -- of texts decided in the ladder's window
    -- through which day the sources were complete when it was counted; null: not yet
    counted_on date,
    count_on date,  -- when it is counted next; null: never
    -- what was drawn: '', the control group; survey/a/b, the variants of a step
    draw text DEFAULT ''::text NOT NULL,
    variant text,  -- of the step, by that decision; null: it has one text
    -- what coupons of theirs took off their orders in the first step's window
    step_discount numeric DEFAULT 0 NOT NULL,
    ladder_discount numeric DEFAULT 0 NOT NULL,  -- the same, in the ladder's window
    CONSTRAINT eligible_pkey PRIMARY KEY (contact_id, salt, draw)
);
CREATE INDEX eligible_by_day ON outcome.eligible (eligible_on);
-- Whose window has ended: an evening reads these and no others.
CREATE INDEX eligible_to_count ON outcome.eligible (count_on) WHERE (count_on IS NOT NULL);

-- An experiment: contacts who were drawn by chance into groups. What it looks for is settled when
-- it begins, and stays, so that nobody chooses it by what is seen.
CREATE TABLE outcome.experiment (
    -- salt:spring of the journey's own, and salt:spring:survey/a/b of variants; the name of a
    -- loaded one
    experiment text NOT NULL,
    salt text,  -- the word that drew the groups; null: loaded from a file
    control_arm text NOT NULL,  -- the group that all others are held against
    began_on date NOT NULL,
    currency text NOT NULL,  -- of all its money; what was spent in another is left out
    horizon_days integer NOT NULL,  -- how long a contact is watched, of the whole ladder
    attribution_days integer NOT NULL,  -- how long, of the first step
    -- what counts as coming back, by clock: {"any": ["purchase"]}
    returns jsonb DEFAULT '{}'::jsonb NOT NULL,
    detect double precision NOT NULL,  -- the difference that is to be seen: 0.01 is one point
    power double precision NOT NULL,  -- how often an experiment of the planned size sees it
    -- the share of contacts who spent most that count as much as the next; 0: none
    winsorise double precision NOT NULL,
    -- the share that comes back by itself, as the plan takes it; null: not known yet
    base double precision,
    planned_units bigint,  -- how many contacts the fixed interval needs
    planned_through date,  -- the last day of those; null: not so many yet
    drawn_treated bigint DEFAULT 0 NOT NULL,
    drawn_control bigint DEFAULT 0 NOT NULL,
    -- of all drawn, by the policy's share on each one's day
    expected_control double precision DEFAULT 0 NOT NULL,
    -- of a split at least as uneven, if it is drawn as it should be: chi-squared
    ratio_p double precision,
    ratio_always_p double precision,  -- the same, of all evenings together; the least so far
    -- phones whose contacts were drawn into different groups
    mixed_phones bigint DEFAULT 0 NOT NULL,
    open_units bigint DEFAULT 0 NOT NULL,  -- contacts whose window on the ladder is not over
    more_units bigint,  -- how many more are needed until the always-valid interval says something
    more_weeks double precision,  -- about how long that takes at the pace of the last four weeks
    counted_on date,
    counted_at timestamp with time zone,
    -- what was drawn: '', the control group; survey/a/b, the variants of a step
    draw text DEFAULT ''::text NOT NULL,
    -- what an order's amount is: paid, a coupon is off it already; full: before its coupon
    amounts text DEFAULT 'paid'::text NOT NULL,
    CONSTRAINT experiment_pkey PRIMARY KEY (experiment),
    CONSTRAINT experiment_amounts_check CHECK ((amounts = ANY (ARRAY['paid'::text, 'full'::text]))),
    CONSTRAINT experiment_attribution_days_check CHECK ((attribution_days > 0)),
    CONSTRAINT experiment_horizon_days_check CHECK ((horizon_days > 0)),
    CONSTRAINT experiment_salt_draw_key UNIQUE (salt, draw)
);

-- A row of an experiment that was loaded from a file.
CREATE TABLE outcome.experiment_unit (
    experiment text NOT NULL,
    unit text NOT NULL,  -- whose outcome it is, by the file's own id
    arm text NOT NULL,
    eligible_on date NOT NULL,
    step text DEFAULT ''::text NOT NULL,
    lifecycle_class text,
    language text,
    returned boolean NOT NULL,
    revenue numeric DEFAULT 0 NOT NULL,
    cost numeric DEFAULT 0 NOT NULL,
    CONSTRAINT experiment_unit_pkey PRIMARY KEY (experiment, unit)
);

-- Kept on request.
CREATE TABLE history.audience (
    contact_id bigint NOT NULL,
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    reason cohort.reason NOT NULL,  -- `due`: would have been written to; others: why not
    CONSTRAINT audience_pkey PRIMARY KEY (contact_id, scenario, as_of)
);
CREATE INDEX audience_by_day ON history.audience (scenario, as_of);

-- entered: contacts that reached the step's threshold on as_of; dormant: contacts at the step.
CREATE TABLE history.cohort_day (
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    entered bigint NOT NULL,  -- came to stand at the step on that day
    dormant bigint NOT NULL,  -- stand at the step at the end of the day
    due bigint,  -- decided on that day; null: replayed before this was kept
    would_send bigint,  -- of those due, who would have been written to
    segments bigint,  -- of their texts; a text that cannot be made has none
    cost numeric,  -- of the segments, by the policy's prices, in the brand's currency
    policy_version text,
    CONSTRAINT cohort_day_pkey PRIMARY KEY (scenario, as_of, step)
);

CREATE TABLE history.cohort_reason (
    scenario text NOT NULL,
    as_of date NOT NULL,
    step text NOT NULL,
    action cohort.action NOT NULL,
    reason cohort.reason NOT NULL,
    contacts bigint NOT NULL,  -- of the day's due, for whom it was decided so
    CONSTRAINT cohort_reason_pkey PRIMARY KEY (scenario, as_of, step, reason)
);

-- Of the contacts that reached inactive_days, those that came back within so many days more,
-- counted where that many days could be watched. Without any message: the baseline.
CREATE TABLE history.return_curve (
    scenario text NOT NULL,
    inactive_days integer NOT NULL,
    within_days integer NOT NULL,
    at_risk bigint NOT NULL,
    returned bigint NOT NULL,
    CONSTRAINT return_curve_pkey PRIMARY KEY (scenario, inactive_days, within_days)
);

\ir objects/core/phone_hashes.sql
\ir objects/core/suppressed_number.sql
\ir objects/core/word.sql
\ir objects/cohort/drawn_at.sql
\ir objects/cohort/is_used_up.sql
\ir objects/cohort/passes_by_waiting.sql
\ir objects/cohort/rung_days.sql
\ir objects/cohort/waterfall_stage.sql
\ir objects/core/add_month.sql
\ir objects/core/consent_record.sql
\ir objects/core/suppressed_person.sql
\ir objects/core/has_consent.sql
\ir objects/core/is_by_reply.sql
\ir objects/core/is_order.sql
\ir objects/core/key_prefix.sql
\ir objects/core/known_id.sql
\ir objects/core/last_on.sql
\ir objects/core/may_be_mobile.sql
\ir objects/core/one_number.sql
\ir objects/core/pause.sql
\ir objects/core/person.sql
\ir objects/core/person_contact.sql
\ir objects/core/product_of.sql
\ir objects/outbox/may_go_out.sql
\ir objects/core/restraint.sql
\ir objects/core/settlement.sql
\ir objects/core/source_ids.sql
\ir objects/core/stands_at.sql
\ir objects/history/card_version.sql
\ir objects/history/interaction_version.sql
\ir objects/outbox/cost.sql
\ir objects/outbox/discount.sql
\ir objects/outbox/drawing.sql
\ir objects/outbox/is_touch.sql
\ir objects/outbox/leads_away.sql
\ir objects/outbox/says_machine.sql
\ir objects/outbox/survey_answer.sql
\ir objects/outbox/unread_reply.sql
\ir objects/outbox/was_handed_over.sql
\ir objects/outbox/went_out.sql
\ir objects/outcome/by_hits.sql
\ir objects/outcome/is_window_open.sql
\ir objects/outcome/unit.sql
\ir objects/raw/agreement.sql
\ir objects/raw/refund_key.sql
\ir objects/raw/refunded_key.sql
\ir objects/raw/zero_twins.sql
\ir objects/core/opt_out_phone.sql
\ir objects/core/resume.sql
\ir objects/outcome/ended.sql
\ir objects/cohort/waterfall_by_step.sql
\ir objects/core/withdrawal.sql
\ir objects/core/contact_suppression.sql
\ir objects/core/opt_in_phone.sql
\ir objects/core/opt_out.sql
\ir objects/core/kind_by_amount.sql
\ir objects/history/would_be_text.sql
\ir objects/outbox/said.sql
\ir objects/core/resting_hash.sql
\ir objects/core/sign_of_life.sql
\ir objects/core/stop_tie.sql
\ir objects/outbox/names_our_code.sql
\ir objects/outbox/redemption.sql
\ir objects/outbox/used_code.sql
\ir objects/outbox/judged_hit.sql
\ir objects/outbox/rule_of.sql
\ir objects/cohort/waterfall.sql
\ir objects/core/withdrawal_of_number.sql
\ir objects/cohort/contact_story.sql
\ir objects/outbox/hit_of_episode.sql
\ir objects/roles/reengage_web.sql
\ir objects/core/stop_elsewhere.sql
