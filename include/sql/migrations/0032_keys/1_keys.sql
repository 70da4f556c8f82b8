-- The keys that numbers are hashed with. The newest, the one in use, is the highest. Of a key only
-- its fingerprint stands here: slow to make and salted, it says whether a key is this one, and helps
-- nobody to guess it.
CREATE TABLE core.phone_key (
    key_id integer PRIMARY KEY,
    prefix text NOT NULL,           -- what its hashes begin with; '' those of the first
    salt text,
    fingerprint text,               -- scrypt; NULL of a key that was lost before it was noted
    noted_at timestamptz NOT NULL,
    swept_to bigint NOT NULL,       -- contacts up to this one are known under it, too
    swept_at timestamptz,           -- when all were
    lost_at timestamptz,            -- it need not be given any more: nobody has it
    retired_at timestamptz,         -- it need not be given any more: nothing rests on it
    CHECK ((salt IS NULL) = (fingerprint IS NULL)),
    CHECK (fingerprint IS NOT NULL OR lost_at IS NOT NULL)
);
COMMENT ON TABLE core.phone_key IS 'The keys that phone numbers are hashed with, by fingerprint';

-- Which key a hash is of: what it begins with.
CREATE FUNCTION core.key_prefix(phone_hash text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN $1 ~ '^[0-9]+:' THEN split_part($1, ':', 1) || ':' ELSE '' END
$$;

-- The other digests of a number that is written in several ways, both ways round. Apart from
-- core.phone_alias, which the link service reads: from what is made without a key, a number is guessed.
CREATE TABLE core.digest_alias (
    digest text NOT NULL,
    alias_digest text NOT NULL,
    PRIMARY KEY (digest, alias_digest)
);

-- How cards share a number must not depend on the key of the day on which they came.
UPDATE core.card_id AS known
SET id = encode(sha256(convert_to(said.phone, 'UTF8')), 'hex')
FROM (
    SELECT DISTINCT
        card.source,
        card.source_contact_id,
        card.phone_hash,
        card.phone
    FROM raw.contact AS card
    WHERE card.phone IS NOT NULL
) AS said
WHERE
    known.id_source = '@phone'
    AND known.source = said.source
    AND known.source_contact_id = said.source_contact_id
    AND known.id = said.phone_hash;

-- Of rows that are tidied away.
UPDATE core.card_id AS known
SET id = encode(sha256(convert_to(said.phone_e164, 'UTF8')), 'hex')
FROM (
    SELECT DISTINCT
        contact.phone_hash,
        contact.phone_e164
    FROM core.contact AS contact
    WHERE contact.phone_e164 IS NOT NULL
) AS said
WHERE known.id_source = '@phone' AND known.id = said.phone_hash;

-- It held a digest of the key, quick to make. The next load notes the spellings anew.
DELETE FROM core.derived_from WHERE name = 'numbers';

-- What hashes a rule may still ask for. as_of: of a text; NULL of what has no end.
CREATE VIEW core.resting_hash AS
SELECT
    'stops' AS what,
    suppression.phone_hash,
    CAST(NULL AS date) AS as_of
FROM core.suppression AS suppression
WHERE suppression.lifted_at IS NULL AND suppression.phone_hash IS NOT NULL
UNION ALL
SELECT
    'replies' AS what,
    reply.phone_hash,
    NULL AS as_of
FROM outbox.reply AS reply
WHERE
    reply.reviewed_at IS NULL
    OR (
        reply.meaning = 'stop'
        AND NOT EXISTS (
            SELECT 1
            FROM core.suppression AS suppression
            WHERE
                suppression.contact_id = 0
                AND suppression.phone_hash = reply.phone_hash
                AND suppression.reason = 'opted_out'
        )
    )
UNION ALL
SELECT
    'texts' AS what,
    message.phone_hash,
    CASE
        WHEN message.status NOT IN ('draft', 'queued', 'sending', 'unknown') THEN message.as_of
    END AS as_of
FROM outbox.message AS message
WHERE message.status NOT IN ('cancelled', 'rejected')
UNION ALL
SELECT
    'contest entries' AS what,
    entry.phone_hash,
    NULL AS as_of
FROM outbox.contest_entry AS entry
INNER JOIN outbox.contest AS contest ON entry.contest = contest.contest
WHERE contest.drawn_at IS NULL AND entry.phone_hash IS NOT NULL
UNION ALL
SELECT
    'contacts' AS what,
    contact.phone_hash,
    NULL AS as_of
FROM core.contact AS contact
WHERE contact.phone_e164 IS NOT NULL AND contact.phone_hash IS NOT NULL;
