-- The last day of a contest that an entrant was told: nobody is drawn before it is over.
-- Grain: one row, NULL where nobody has entered. Reads: outbox.contest_entry. Parameters: contest.
-- Writes nothing.
SELECT max(CAST(entry.confirmed ->> 'closes_on' AS date)) AS closes_on
FROM outbox.contest_entry AS entry
WHERE entry.contest = :contest;
