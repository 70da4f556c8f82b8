-- A contest as anybody may see it: its seed is NULL until the draw is made, for nobody may know it
-- before. Whoever is only given this view cannot.
-- Grain: contest. Reads: outbox.contest.
CREATE OR REPLACE VIEW outbox.drawing AS
SELECT
    contest.contest,
    contest.commitment,
    CASE WHEN contest.drawn_at IS NOT NULL THEN contest.seed END AS seed,
    contest.drawn_at,
    contest.winners,
    contest.entries,
    contest.entries_digest
FROM outbox.contest AS contest;
