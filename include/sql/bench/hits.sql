-- How many hits were recorded, and how many of them have their verdict.
-- Grain: one row. Reads: outbox.hit, outbox.verdict. Writes nothing. No parameters.
SELECT
    count(*) AS hits,
    count(verdict.hit_id) AS judged
FROM outbox.hit AS hit
LEFT JOIN outbox.verdict AS verdict
    ON hit.contact_id = verdict.contact_id AND hit.hit_id = verdict.hit_id;
