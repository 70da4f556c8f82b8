-- End the breaks that are over on the day after as_of, the first on which the day's texts may go.
-- Grain: suppression. Reads and writes: core.suppression. Parameters: as_of; at: when.
-- Twice: nothing is left to lift.
UPDATE core.suppression
SET lifted_at = CAST(:at AS timestamptz)
WHERE
    suppression.reason = 'paused'
    AND suppression.lifted_at IS NULL
    AND suppression.until <= CAST(:as_of AS date) + 1
