-- What a past day knew can be told later only if it is kept: each version of an interaction and of a
-- card, who was taken for whom and when, and what the policy said.

-- What a row was until another version put it aside; NULL: it stands, or was put aside before this was
-- kept.
ALTER TABLE raw.contact
ADD COLUMN stood_as raw.row_status;  -- until it was superseded; null: it stands, or not known
ALTER TABLE raw.interaction
ADD COLUMN stood_as raw.row_status;  -- until it was superseded; null: it stands, or not known
ALTER TABLE raw.consent
ADD COLUMN stood_as raw.row_status;  -- until it was superseded; null: it stands, or not known
ALTER TABLE raw.product
ADD COLUMN stood_as raw.row_status;  -- until it was superseded; null: it stands, or not known

ALTER TABLE raw.load
ADD COLUMN tidied_at timestamptz;  -- when what it replaced was emptied; null: not yet

-- Who was taken for whom: append-only, where core.contact.merged_into says how it is now.
CREATE TABLE core.merge (
    merge_id bigint GENERATED ALWAYS AS IDENTITY,
    contact_id bigint NOT NULL,
    merged_into bigint,  -- null: a contact of their own again
    load_id bigint,  -- that told it; null: before this was kept
    CONSTRAINT merge_pkey PRIMARY KEY (contact_id, merge_id)
);

INSERT INTO core.merge (contact_id, merged_into)
SELECT
    contact.contact_id,
    contact.merged_into
FROM core.contact AS contact
WHERE contact.merged_into IS NOT NULL
ORDER BY contact.contact_id;

-- What each version of the policy said, from its first day on.
CREATE TABLE cohort.policy (
    policy_version text NOT NULL,
    text text NOT NULL,  -- the file, as it was
    first_as_of date NOT NULL,  -- the first day that it decided
    CONSTRAINT policy_pkey PRIMARY KEY (policy_version)
);
