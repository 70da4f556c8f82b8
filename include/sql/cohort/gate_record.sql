-- Keep what a gate said of a day.
-- Grain: one row. Writes: cohort.gate. Parameters: as_of, gate, is_open, measured, allowed, said, at.
-- Twice: the later word stands; a day that is let go or stopped is not judged again.
INSERT INTO cohort.gate (as_of, gate, is_open, measured, allowed, said, judged_at)
VALUES (:as_of, :gate, :is_open, :measured, :allowed, :said, :at)
ON CONFLICT (as_of, gate) DO UPDATE
    SET
        is_open = excluded.is_open,
        measured = excluded.measured,
        allowed = excluded.allowed,
        said = excluded.said,
        judged_at = excluded.judged_at;
