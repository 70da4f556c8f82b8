-- Whose hold may be over, by what has changed since: their card or consent; a suppression that was
-- lifted, of the person or of the number; a reply that was read, however long ago it was written; or
-- what another says now who holds them, as their number is the same or a card or id ties them.
-- Grain: contact with an open episode; load_id, at: when that changed last. Reads: cohort.episode,
-- core.contact, core.consent, core.stop_tie, core.suppression, core.phone_alias, outbox.reply. Writes:
-- the temporary table released. Parameters: after_load_id, after. Twice: the same rows.
DROP TABLE IF EXISTS released;

CREATE TEMPORARY TABLE released ON COMMIT DROP AS
WITH agreed AS MATERIALIZED (
    -- Who has ever withdrawn, and says something else now, or was corrected.
    SELECT
        consent.contact_id,
        max(consent.load_id) AS load_id
    FROM core.consent AS consent
    WHERE
        consent.load_id > CAST(:after_load_id AS bigint)
        AND EXISTS (
            SELECT 1
            FROM core.consent AS past
            WHERE past.contact_id = consent.contact_id AND past.withdrawn_at IS NOT NULL
        )
    GROUP BY consent.contact_id
),

lifted AS MATERIALIZED (
    SELECT
        suppression.contact_id,
        suppression.phone_hash,
        suppression.scope,
        suppression.lifted_at AS at
    FROM core.suppression AS suppression
    WHERE suppression.lifted_at > CAST(:after AS timestamptz)
),

number AS MATERIALIZED (
    SELECT
        said.phone_hash,
        max(said.load_id) AS load_id,
        max(said.at) AS at
    FROM (
        SELECT
            holder.phone_hash,
            agreed.load_id,
            CAST(NULL AS timestamptz) AS at
        FROM agreed
        INNER JOIN core.contact AS holder ON agreed.contact_id = holder.contact_id
        UNION ALL
        SELECT
            lifted.phone_hash,
            NULL,
            lifted.at
        FROM lifted
        UNION ALL
        SELECT
            reply.phone_hash,
            NULL,
            reply.reviewed_at
        FROM outbox.reply AS reply
        WHERE reply.meaning <> 'stop' AND reply.reviewed_at > CAST(:after AS timestamptz)
    ) AS said
    WHERE said.phone_hash IS NOT NULL
    GROUP BY said.phone_hash
),

spelled AS MATERIALIZED (
    SELECT
        number.phone_hash,
        number.load_id,
        number.at
    FROM number
    UNION ALL
    SELECT
        alias.alias_hash,
        number.load_id,
        number.at
    FROM number
    INNER JOIN core.phone_alias AS alias ON number.phone_hash = alias.phone_hash
),

change AS (
    SELECT
        contact.contact_id,
        contact.updated_load_id AS load_id,
        CAST(NULL AS timestamptz) AS at
    FROM core.contact AS contact
    WHERE contact.updated_load_id > CAST(:after_load_id AS bigint)
    UNION ALL
    SELECT
        consent.contact_id,
        consent.load_id,
        NULL
    FROM core.consent AS consent
    WHERE consent.load_id > CAST(:after_load_id AS bigint)
    UNION ALL
    SELECT
        tie.contact_id,
        agreed.load_id,
        NULL
    FROM agreed
    INNER JOIN core.stop_tie AS tie ON agreed.contact_id = tie.by_contact_id
    UNION ALL
    SELECT
        lifted.contact_id,
        NULL,
        lifted.at
    FROM lifted
    WHERE lifted.scope = 'person'
    UNION ALL
    SELECT
        tie.contact_id,
        NULL,
        lifted.at
    FROM lifted
    INNER JOIN core.stop_tie AS tie ON lifted.contact_id = tie.by_contact_id
    WHERE lifted.scope = 'person'
    UNION ALL
    SELECT
        contact.contact_id,
        spelled.load_id,
        spelled.at
    FROM spelled
    INNER JOIN core.contact AS contact ON spelled.phone_hash = contact.phone_hash
)

SELECT
    episode.contact_id,
    max(change.load_id) AS load_id,
    max(change.at) AS at
FROM change
INNER JOIN cohort.episode AS episode
    ON change.contact_id = episode.contact_id AND episode.closed_on IS NULL
INNER JOIN core.contact AS contact
    ON change.contact_id = contact.contact_id AND contact.merged_into IS NULL
GROUP BY episode.contact_id;

ANALYZE released;
