-- A contest as it stands. The seed is NULL until the draw is made: nobody may know it before.
-- Grain: one row, or none. Reads: outbox.contest. Writes nothing. Parameters: contest.
SELECT
    contest.commitment,
    CASE WHEN contest.drawn_at IS NOT NULL THEN contest.seed END AS seed,
    contest.drawn_at,
    contest.winners,
    contest.entries,
    contest.entries_digest
FROM outbox.contest AS contest
WHERE contest.contest = :contest
