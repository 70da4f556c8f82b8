-- Which contact each person of the kin is: the one that has their first identity, even where it was
-- merged into another since; of several the lowest; else a new one. An id that is nobody's, and that
-- no row has named yet, needs none; a refusal names it. Returns how many have one for the first time.
-- Grain: card or id (placed); contact × the one that it is now (claimed). Reads: kin, person,
-- core.contact, core.contact_identity, core.card_id, raw.consent. Writes: the temporary tables claimed and placed.
-- No parameters. Gone with the transaction.
ANALYZE person;

DROP TABLE IF EXISTS claimed;

CREATE TEMPORARY TABLE claimed ON COMMIT DROP AS
WITH mention AS (
    SELECT
        person.person,
        kin.source,
        kin.source_contact_id,
        identity.contact_id,
        TRUE AS is_in
    FROM kin
    INNER JOIN person ON kin.node = person.node
    INNER JOIN core.contact_identity AS identity
        ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    UNION ALL
    SELECT
        person.person,
        kin.source,
        kin.source_contact_id,
        identity.original_contact_id,
        FALSE
    FROM kin
    INNER JOIN person ON kin.node = person.node
    INNER JOIN core.contact_identity AS identity
        ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    WHERE identity.original_contact_id <> identity.contact_id
),

-- Whose a contact is: the person's who has its first identity, or else of the first that is in it.
theirs AS (
    SELECT DISTINCT ON (claim.contact_id)
        claim.contact_id,
        claim.person,
        claim.merged_into
    FROM (
        SELECT
            contact.contact_id,
            contact.merged_into,
            mention.person,
            mention.source,
            mention.source_contact_id,
            mention.is_in,
            contact.first_source = mention.source
            AND contact.first_source_contact_id = mention.source_contact_id AS is_first
        FROM mention
        INNER JOIN core.contact AS contact ON mention.contact_id = contact.contact_id
    ) AS claim
    WHERE claim.is_first OR claim.is_in
    ORDER BY
        claim.contact_id ASC, claim.is_first DESC, claim.source ASC, claim.source_contact_id ASC
)

SELECT
    theirs.contact_id,
    theirs.person,
    theirs.merged_into,
    first_value(theirs.contact_id) OVER (
        PARTITION BY theirs.person
        ORDER BY theirs.merged_into IS NOT NULL, theirs.contact_id
    ) AS kept_id
FROM theirs;

ANALYZE claimed;

DROP TABLE IF EXISTS placed;

CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
WITH known AS (
    SELECT
        person.person,
        kin.source,
        kin.source_contact_id,
        identity.contact_id AS was_id,
        own.source IS NOT NULL AS is_card,
        EXISTS(
            SELECT 1
            FROM raw.consent AS refusal
            WHERE
                refusal.contact_source = kin.source
                AND refusal.source_contact_id = kin.source_contact_id
                AND refusal.status = 'excluded'
        ) AS is_refused
    FROM kin
    INNER JOIN person ON kin.node = person.node
    LEFT JOIN core.contact_identity AS identity
        ON kin.source = identity.source AND kin.source_contact_id = identity.source_contact_id
    LEFT JOIN core.card_id AS own
        ON
            kin.source = own.source
            AND kin.source_contact_id = own.source_contact_id
            AND kin.source = own.id_source
            AND kin.source_contact_id = own.id
),

newcomer AS (
    SELECT
        numbered.person,
        numbered.source,
        numbered.source_contact_id,
        nextval('core.contact_contact_id_seq') AS contact_id
    FROM (
        SELECT
            known.person,
            (array_agg(known.source ORDER BY known.is_card DESC, known.source ASC, known.source_contact_id ASC))[1]
                AS source,
            (
                array_agg(
                    known.source_contact_id
                    ORDER BY known.is_card DESC, known.source ASC, known.source_contact_id ASC
                )
            )[1] AS source_contact_id
        FROM known
        LEFT JOIN claimed ON known.person = claimed.person
        WHERE claimed.person IS NULL
        GROUP BY known.person
        HAVING bool_or(known.is_card OR known.was_id IS NOT NULL OR known.is_refused)
        ORDER BY source, source_contact_id
    ) AS numbered
)

SELECT
    known.source,
    known.source_contact_id,
    known.is_card,
    known.was_id,
    coalesce(newcomer.contact_id, kept.kept_id) AS contact_id,
    newcomer.person IS NOT NULL AS is_new,
    coalesce(
        newcomer.source = known.source AND newcomer.source_contact_id = known.source_contact_id,
        FALSE
    ) AS is_first
FROM known
LEFT JOIN newcomer ON known.person = newcomer.person
LEFT JOIN
    (
        SELECT DISTINCT
            claimed.person,
            claimed.kept_id
        FROM claimed
    ) AS kept
    ON known.person = kept.person
WHERE newcomer.person IS NOT NULL OR kept.person IS NOT NULL;

ANALYZE placed;

SELECT count(*) AS placed FROM placed WHERE placed.was_id IS NULL;
