-- The tickets of a contest that was drawn, by place.
-- Grain: entry. Reads: outbox.contest_entry. Writes nothing. Parameters: contest.
SELECT
    entry.contact_id,
    entry.ticket,
    entry.place
FROM outbox.contest_entry AS entry
WHERE entry.contest = :contest AND entry.place IS NOT NULL
ORDER BY entry.place
