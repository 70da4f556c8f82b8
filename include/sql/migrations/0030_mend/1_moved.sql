-- Interactions and consents belong to the contact whose id they came in under. Where two cards of a
-- source named an id in two spellings, and it got one (0013), what came in under the other spelling
-- stayed behind with the second card.
CREATE TEMPORARY TABLE mark ON COMMIT DROP AS
SELECT
    -- The next day that is decided follows what is marked so.
    (SELECT coalesce(max(day.last_load_id), 0) + 1 FROM cohort.day AS day) AS load_id,
    coalesce(
        (
            SELECT CAST(string_to_array(known.value, ',') AS core.interaction_kind[])
            FROM core.derived_from AS known
            WHERE known.name = 'signals' AND known.value <> ''
        ),
        CAST('{purchase,visit,loyalty,email_click,reply,login}' AS core.interaction_kind[])
    ) AS signals;

CREATE TEMPORARY TABLE corrected (contact_id bigint PRIMARY KEY) ON COMMIT DROP;

CREATE TEMPORARY TABLE told ON COMMIT DROP AS
SELECT
    0 AS interactions,
    0 AS consents,
    0 AS stops,
    0 AS orders,
    0 AS coupons;

-- The contacts of cards that name an id which another card of their source names, too.
CREATE TEMPORARY TABLE sharing ON COMMIT DROP AS
SELECT DISTINCT identity.contact_id
FROM (
    SELECT
        card.source,
        card.record_key,
        count(*) OVER (PARTITION BY card.source, card.id) AS cards
    FROM (
        SELECT DISTINCT
            row.source,
            row.record_key,
            named.id
        FROM raw.contact AS row
        CROSS JOIN LATERAL (VALUES (row.loyalty_card_id), (row.shop_account_id)) AS named (id)
        WHERE row.status IN ('loaded', 'superseded') AND named.id IS NOT NULL
    ) AS card
) AS holder
INNER JOIN core.contact_identity AS identity
    ON holder.source = identity.source AND holder.record_key = identity.source_contact_id
WHERE holder.cards > 1;

ANALYZE sharing;

CREATE TEMPORARY TABLE moving ON COMMIT DROP AS
SELECT
    done.contact_id AS from_id,
    done.source,
    done.source_event_id,
    identity.contact_id AS to_id
FROM sharing
INNER JOIN core.interaction AS done ON sharing.contact_id = done.contact_id
INNER JOIN raw.interaction AS row
    ON
        done.source = row.source
        AND done.source_event_id = row.record_key
        AND row.status <> 'superseded'
INNER JOIN core.contact_identity AS identity
    ON
        row.contact_source = identity.source
        AND row.source_contact_id = identity.source_contact_id
WHERE row.status = 'loaded' AND identity.contact_id <> done.contact_id;

-- What is there, too, is not there twice.
DELETE FROM core.interaction AS interaction
USING moving
INNER JOIN core.interaction AS known
    ON
        moving.to_id = known.contact_id
        AND moving.source = known.source
        AND moving.source_event_id = known.source_event_id
WHERE
    interaction.contact_id = moving.from_id
    AND interaction.source = moving.source
    AND interaction.source_event_id = moving.source_event_id;

UPDATE core.interaction AS interaction
SET contact_id = moving.to_id
FROM moving
WHERE
    interaction.contact_id = moving.from_id
    AND interaction.source = moving.source
    AND interaction.source_event_id = moving.source_event_id;

UPDATE told SET interactions = (SELECT count(*) FROM moving);

INSERT INTO corrected (contact_id)
SELECT moving.from_id
FROM moving
UNION
SELECT moving.to_id
FROM moving
ON CONFLICT (contact_id) DO NOTHING;

-- A consent is what some version of its row said: of several the one that it was taken from.
CREATE TEMPORARY TABLE agreeing ON COMMIT DROP AS
SELECT
    agreed.contact_id AS from_id,
    agreed.consent_id,
    identity.contact_id AS to_id
FROM sharing
INNER JOIN core.consent AS agreed ON sharing.contact_id = agreed.contact_id
CROSS JOIN
    LATERAL (
        SELECT
            version.contact_source,
            version.source_contact_id
        FROM raw.consent AS version
        WHERE version.source = agreed.source AND version.record_key = agreed.record_key
        ORDER BY
            version.load_id = agreed.load_id DESC,
            coalesce(version.superseded_by = agreed.load_id, FALSE) DESC,
            version.load_id DESC
        LIMIT 1
    ) AS said
INNER JOIN core.contact_identity AS identity
    ON
        said.contact_source = identity.source
        AND said.source_contact_id = identity.source_contact_id
WHERE identity.contact_id <> agreed.contact_id;

UPDATE core.consent AS consent
SET contact_id = agreeing.to_id
FROM agreeing
WHERE consent.contact_id = agreeing.from_id AND consent.consent_id = agreeing.consent_id;

UPDATE told SET consents = (SELECT count(*) FROM agreeing);

INSERT INTO corrected (contact_id)
SELECT agreeing.from_id
FROM agreeing
UNION
SELECT agreeing.to_id
FROM agreeing
ON CONFLICT (contact_id) DO NOTHING;

-- What nobody can tell whose it is: it holds all whose cards name one id, and may have been one.
CREATE TEMPORARY TABLE unclaimed ON COMMIT DROP AS
SELECT DISTINCT
    other.contact_id AS to_id,
    stop.source,
    stop.record_key,
    stop.channel,
    stop.purpose,
    stop.withdrawn_at
FROM core.withdrawal AS stop
INNER JOIN core.contact_identity AS mine ON stop.contact_id = mine.contact_id
INNER JOIN core.card_id AS named
    ON mine.source = named.source AND mine.source_contact_id = named.source_contact_id
INNER JOIN core.card_id AS same ON named.id_source = same.id_source AND named.id = same.id
INNER JOIN core.contact_identity AS other
    ON same.source = other.source AND same.source_contact_id = other.source_contact_id
WHERE
    named.id_source NOT IN ('@phone', '@email')
    AND named.hold <> 'nothing'
    AND same.hold <> 'nothing'
    AND other.contact_id <> stop.contact_id
    AND NOT EXISTS (
        SELECT 1
        FROM raw.consent AS row
        WHERE row.source = stop.source AND row.record_key = stop.record_key
    )
    AND NOT EXISTS (
        SELECT 1
        FROM core.consent AS known
        WHERE
            known.contact_id = other.contact_id
            AND known.source = stop.source
            AND known.record_key = stop.record_key
            AND known.withdrawn_at = stop.withdrawn_at
    );

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT
    unclaimed.to_id,
    unclaimed.source,
    unclaimed.record_key,
    unclaimed.channel,
    unclaimed.purpose,
    unclaimed.withdrawn_at,
    unclaimed.withdrawn_at,
    mark.load_id
FROM unclaimed
CROSS JOIN mark;

UPDATE told SET stops = (SELECT count(*) FROM unclaimed);
