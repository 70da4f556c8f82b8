-- Note of open episodes whether a human has opened one of their messages: of those whose messages
-- were hit in some time. An open that has turned out to be a machine's is taken back.
-- Grain: episode; returns how many count as opened now, and how many no longer do.
-- Reads: outbox.judged_hit, outbox.message. Writes: cohort.episode.
-- Parameters: since, until (exclusive; NULL for no bound), after_contact_id (exclusive),
-- through_contact_id. Twice: the same marks.
WITH hit_since AS (
    SELECT DISTINCT
        message.contact_id,
        message.dormant_since
    FROM outbox.hit AS hit
    INNER JOIN outbox.message AS message
        ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
    WHERE
        hit.at >= coalesce(CAST(:since AS timestamptz), '-infinity')
        AND hit.at < coalesce(CAST(:until AS timestamptz), 'infinity')
        AND hit.contact_id > :after_contact_id
        AND hit.contact_id <= :through_contact_id
),

said AS (
    SELECT
        episode.contact_id,
        episode.dormant_since,
        EXISTS(
            SELECT 1
            FROM outbox.message AS message
            INNER JOIN outbox.judged_hit AS hit
                ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id
            WHERE
                message.contact_id = episode.contact_id
                AND message.dormant_since = episode.dormant_since
                AND hit.verdict = 'human'
        ) AS is_opened
    FROM hit_since
    INNER JOIN cohort.episode AS episode
        ON
            hit_since.contact_id = episode.contact_id
            AND hit_since.dormant_since = episode.dormant_since
    WHERE episode.closed_on IS NULL
),

marked AS (
    UPDATE cohort.episode AS episode
    SET is_opened = said.is_opened
    FROM said
    WHERE
        episode.contact_id = said.contact_id
        AND episode.dormant_since = said.dormant_since
        AND episode.is_opened <> said.is_opened
    RETURNING episode.is_opened
)

SELECT
    count(*) FILTER (WHERE marked.is_opened) AS opened,
    count(*) FILTER (WHERE NOT marked.is_opened) AS not_opened
FROM marked;
