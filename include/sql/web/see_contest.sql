-- Note a contest's secret seed and its commitment the first time that the contest is seen.
-- Grain: contest. Writes: outbox.contest. Parameters: contest, seed, commitment, at.
-- Twice, or by two at once: the first seed stays.
INSERT INTO outbox.contest (contest, seed, commitment, seen_at)
VALUES (:contest, :seed, :commitment, CAST(:at AS timestamptz))
ON CONFLICT (contest) DO NOTHING
