-- Remember how far a simulated clock has come, and the wall's time of that.
-- Grain: one row. Reads and writes: cohort.clock. Parameters: simulated_now, noted_at.
-- Twice: nothing; a day that is run again later leaves the first time, as it was decided then.
INSERT INTO cohort.clock (simulated_now, noted_at)
VALUES (:simulated_now, :noted_at)
ON CONFLICT (is_only) DO UPDATE
    SET
        simulated_now = excluded.simulated_now,
        noted_at = excluded.noted_at
    WHERE clock.simulated_now < excluded.simulated_now;
