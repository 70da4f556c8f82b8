-- Note of open episodes whether a person has opened one of their messages: of contacts whose links were
-- followed. An open that has turned out to be a machine's is taken back.
-- Grain: episode; returns how many count as opened now, and how many no longer do. Reads: the temporary
-- table touched, outbox.hit_of_episode. Writes: cohort.episode. No parameters. Twice: the same marks.
DROP TABLE IF EXISTS marking;

CREATE TEMPORARY TABLE marking ON COMMIT DROP AS
SELECT
    episode.contact_id,
    episode.dormant_since,
    coalesce(bool_or(hit.verdict = 'human'), FALSE) AS is_opened
FROM touched
INNER JOIN cohort.episode AS episode
    ON touched.contact_id = episode.contact_id AND episode.closed_on IS NULL
LEFT JOIN outbox.hit_of_episode AS hit
    ON
        episode.contact_id = hit.contact_id
        AND episode.dormant_since = hit.dormant_since
GROUP BY episode.contact_id, episode.dormant_since, episode.is_opened
HAVING episode.is_opened <> coalesce(bool_or(hit.verdict = 'human'), FALSE);

UPDATE cohort.episode AS episode
SET is_opened = marking.is_opened
FROM marking
WHERE
    episode.contact_id = marking.contact_id
    AND episode.dormant_since = marking.dormant_since;

SELECT
    count(*) FILTER (WHERE marking.is_opened) AS opened,
    count(*) FILTER (WHERE NOT marking.is_opened) AS not_opened
FROM marking;
