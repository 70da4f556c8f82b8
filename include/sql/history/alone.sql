-- To whom only one of two scenarios would have written, and how often, from when, with which steps.
-- Grain: contact. Reads: history.would_be_text, core.contact, core.contact_identity. Parameters: scenario,
-- other, from_day, to_day. Writes nothing.
WITH written AS (
    SELECT
        text.contact_id,
        min(text.scenario) AS scenario,
        count(*) AS texts,
        min(text.as_of) AS first_on,
        string_agg(DISTINCT text.step, ' ') AS steps
    FROM history.would_be_text AS text
    WHERE text.scenario IN (:scenario, :other) AND text.as_of BETWEEN :from_day AND :to_day
    GROUP BY text.contact_id
    HAVING count(DISTINCT text.scenario) = 1
),

identified AS (
    SELECT
        named.contact_id,
        jsonb_object_agg(named.source, named.source_contact_ids) AS source_ids
    FROM (
        SELECT
            written.contact_id,
            identity.source,
            string_agg(
                identity.source_contact_id, '; ' ORDER BY identity.source_contact_id
            ) AS source_contact_ids
        FROM written
        INNER JOIN core.contact_identity AS identity ON written.contact_id = identity.contact_id
        GROUP BY written.contact_id, identity.source
    ) AS named
    GROUP BY named.contact_id
)

SELECT
    written.contact_id,
    written.scenario,
    written.texts,
    written.first_on,
    written.steps,
    contact.lifecycle_class,
    contact.language,
    contact.country,
    identified.source_ids
FROM written
INNER JOIN core.contact AS contact ON written.contact_id = contact.contact_id
LEFT JOIN identified ON written.contact_id = identified.contact_id
ORDER BY written.scenario, written.contact_id;
