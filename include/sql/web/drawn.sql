-- The contests that are drawn: nobody is invited to one any more.
-- Grain: contest. Reads: outbox.contest. Writes nothing. No parameters.
SELECT contest.contest
FROM outbox.contest AS contest
WHERE contest.drawn_at IS NOT NULL;
