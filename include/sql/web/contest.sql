-- A contest as it stands. The seed is NULL until the draw is made.
-- Grain: one row, or none. Reads: outbox.drawing. Writes nothing. Parameters: contest.
SELECT
    drawing.commitment,
    drawing.seed,
    drawing.drawn_at,
    drawing.winners,
    drawing.entries,
    drawing.entries_digest
FROM outbox.drawing AS drawing
WHERE drawing.contest = :contest
