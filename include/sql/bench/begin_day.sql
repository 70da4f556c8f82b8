-- A day that draws a control group, so that an experiment of its word begins.
-- Grain: day. Writes: cohort.day. Parameters: as_of, salt, share. Twice: the first stands.
INSERT INTO cohort.day (
    as_of, policy_version, decided_at, last_load_id, control_salt, control_share
)
VALUES (
    CAST(:as_of AS date), '', CAST(CAST(:as_of AS date) AS timestamp) AT TIME ZONE 'UTC', 0, :salt,
    :share
)
ON CONFLICT (as_of) DO NOTHING;
