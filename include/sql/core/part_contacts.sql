-- Give every card and id the contact that it is placed with: new contacts, merged ones that are
-- their own again, and what comes along from a contact that was parted: the interactions and
-- consents that raw says came in under an id. Messages, episodes and what was said on pages stay
-- with the contact that was written to. A stop of a contact that is parted, and a withdrawal that no row
-- accounts for, hold each part: it may be any of them who said it.
-- Grain: identity. Reads: placed, claimed, raw.interaction, raw.consent, core.card_id. Writes:
-- core.contact, core.merge, core.contact_activity, core.contact_identity, core.interaction, core.consent,
-- core.suppression, cohort.dormancy, the temporary table parted. Parameters: load_id, as_of. Twice: nothing moves.
INSERT INTO core.contact (
    contact_id, first_source, first_source_contact_id, first_seen_on, updated_load_id
)
SELECT
    placed.contact_id,
    placed.source,
    placed.source_contact_id,
    :as_of,
    :load_id
FROM placed
WHERE placed.is_new AND placed.is_first
ORDER BY placed.contact_id;

INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)
SELECT
    placed.contact_id,
    :as_of,
    :load_id
FROM placed
WHERE placed.is_new AND placed.is_first
ORDER BY placed.contact_id;

WITH freed AS (
    UPDATE core.contact AS contact
    SET merged_into = NULL, updated_load_id = :load_id
    FROM claimed
    WHERE
        claimed.contact_id = claimed.kept_id
        AND claimed.merged_into IS NOT NULL
        AND contact.contact_id = claimed.contact_id
    RETURNING contact.contact_id
)

INSERT INTO core.merge (contact_id, load_id)
SELECT
    freed.contact_id,
    :load_id
FROM freed;

-- Of whom nothing was opened while they were another, it may be now.
UPDATE cohort.dormancy AS dormancy
SET reaches_on = dormancy.dormant_since
FROM claimed
WHERE
    claimed.contact_id = claimed.kept_id
    AND claimed.merged_into IS NOT NULL
    AND dormancy.contact_id = claimed.contact_id
    AND dormancy.reaches_on IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM cohort.episode AS episode
        WHERE
            episode.contact_id = dormancy.contact_id
            AND episode.dormant_since = dormancy.dormant_since
    );

-- Who was merged is found in one step, wherever the person is now.
WITH moved AS (
    UPDATE core.contact AS contact
    SET merged_into = claimed.kept_id
    FROM claimed
    WHERE
        contact.contact_id = claimed.contact_id
        AND claimed.contact_id <> claimed.kept_id
        AND claimed.merged_into <> claimed.kept_id
    RETURNING contact.contact_id, contact.merged_into
)

INSERT INTO core.merge (contact_id, merged_into, load_id)
SELECT
    moved.contact_id,
    moved.merged_into,
    :load_id
FROM moved;

DROP TABLE IF EXISTS parted;

-- What leaves a contact that stays, or that goes elsewhere.
CREATE TEMPORARY TABLE parted ON COMMIT DROP AS
SELECT
    placed.was_id AS from_id,
    placed.contact_id AS to_id
FROM placed
LEFT JOIN claimed ON placed.was_id = claimed.contact_id
WHERE
    placed.was_id <> placed.contact_id
    AND placed.contact_id IS DISTINCT FROM claimed.kept_id
GROUP BY placed.was_id, placed.contact_id;

ANALYZE parted;

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
SELECT
    placed.contact_id,
    placed.source,
    placed.source_contact_id,
    placed.contact_id,
    :load_id
FROM placed
WHERE placed.was_id IS NULL
ORDER BY placed.contact_id, placed.source, placed.source_contact_id;

-- Where it was before stays with what is merged; what is parted was never that.
UPDATE core.contact_identity AS identity
SET
    contact_id = placed.contact_id,
    original_contact_id = CASE
        WHEN
            placed.is_new
            OR EXISTS (
                SELECT 1
                FROM parted
                WHERE
                    parted.from_id = placed.was_id
                    AND parted.to_id = placed.contact_id
                    AND identity.original_contact_id = placed.was_id
            )
            THEN placed.contact_id
        ELSE identity.original_contact_id
    END
FROM placed
WHERE
    placed.was_id <> placed.contact_id
    AND identity.source = placed.source
    AND identity.source_contact_id = placed.source_contact_id;

UPDATE core.interaction AS interaction
SET contact_id = moved.contact_id
FROM (
    SELECT
        done.contact_id AS from_id,
        done.occurred_on,
        done.source,
        done.source_event_id,
        identity.contact_id
    FROM (SELECT DISTINCT parted.from_id FROM parted) AS gone
    INNER JOIN core.interaction AS done ON gone.from_id = done.contact_id
    CROSS JOIN
        LATERAL (
            SELECT
                row.contact_source,
                row.source_contact_id
            FROM raw.interaction AS row
            WHERE
                row.source = done.source
                AND row.record_key = done.source_event_id
                AND row.load_id = done.load_id
                AND row.status <> 'superseded'
            UNION ALL
            SELECT
                row.contact_source,
                row.source_contact_id
            FROM raw.interaction AS row
            WHERE
                row.source = done.source
                AND row.record_key = done.source_event_id
                AND row.load_id = done.load_id
                AND row.status = 'superseded'
            LIMIT 1
        ) AS said
    INNER JOIN core.contact_identity AS identity
        ON
            said.contact_source = identity.source
            AND said.source_contact_id = identity.source_contact_id
    WHERE identity.contact_id <> done.contact_id
) AS moved
WHERE
    interaction.contact_id = moved.from_id
    AND interaction.occurred_on = moved.occurred_on
    AND interaction.source = moved.source
    AND interaction.source_event_id = moved.source_event_id;

-- A consent is what some version of its row said: of several the one that it was taken from.
UPDATE core.consent AS consent
SET contact_id = moved.contact_id
FROM (
    SELECT
        agreed.contact_id AS from_id,
        agreed.consent_id,
        identity.contact_id
    FROM (SELECT DISTINCT parted.from_id FROM parted) AS gone
    INNER JOIN core.consent AS agreed ON gone.from_id = agreed.contact_id
    CROSS JOIN
        LATERAL (
            SELECT
                version.contact_source,
                version.source_contact_id
            FROM (
                SELECT
                    row.contact_source,
                    row.source_contact_id,
                    row.load_id,
                    row.superseded_by
                FROM raw.consent AS row
                WHERE
                    row.source = agreed.source
                    AND row.record_key = agreed.record_key
                    AND row.status <> 'superseded'
                UNION ALL
                SELECT
                    row.contact_source,
                    row.source_contact_id,
                    row.load_id,
                    row.superseded_by
                FROM raw.consent AS row
                WHERE
                    row.source = agreed.source
                    AND row.record_key = agreed.record_key
                    AND row.status = 'superseded'
            ) AS version
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
    WHERE identity.contact_id <> agreed.contact_id
) AS moved
WHERE consent.contact_id = moved.from_id AND consent.consent_id = moved.consent_id;

-- What nobody can tell whose it is holds everybody who may have said it: a withdrawal stays with the
-- contact that was parted, and each part gets it, too.
INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, withdrawn_at, effective_at, load_id
)
SELECT
    parted.to_id,
    stop.source,
    stop.record_key,
    stop.channel,
    stop.purpose,
    stop.withdrawn_at,
    stop.withdrawn_at,
    :load_id
FROM parted
INNER JOIN core.withdrawal AS stop ON parted.from_id = stop.contact_id
WHERE
    NOT EXISTS (
        SELECT 1
        FROM raw.consent AS row
        WHERE
            row.source = stop.source
            AND row.record_key = stop.record_key
            AND row.status <> 'superseded'
    )
    AND NOT EXISTS (
        SELECT 1
        FROM raw.consent AS row
        WHERE
            row.source = stop.source
            AND row.record_key = stop.record_key
            AND row.status = 'superseded'
    )
    AND NOT EXISTS (
        SELECT 1
        FROM core.consent AS known
        WHERE
            known.contact_id = parted.to_id
            AND known.source = stop.source
            AND known.record_key = stop.record_key
            AND known.withdrawn_at = stop.withdrawn_at
    );

INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since, until)
SELECT
    parted.to_id,
    suppression.phone_hash,
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since,
    suppression.until
FROM parted
INNER JOIN core.suppressed_person AS suppression ON parted.from_id = suppression.contact_id
WHERE suppression.reason <> 'inactivity'
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL DO NOTHING;

UPDATE core.contact AS contact
SET
    status = CASE WHEN gone.status = 'erased' THEN gone.status ELSE 'unsubscribed' END,
    updated_load_id = :load_id
FROM parted
INNER JOIN core.contact AS gone ON parted.from_id = gone.contact_id
WHERE
    contact.contact_id = parted.to_id
    AND contact.status <> 'erased'
    AND (
        gone.status = 'erased'
        OR EXISTS (
            SELECT 1
            FROM core.suppression AS stop
            WHERE
                stop.contact_id = parted.to_id
                AND stop.reason = 'opted_out'
                AND stop.lifted_at IS NULL
        )
    );
