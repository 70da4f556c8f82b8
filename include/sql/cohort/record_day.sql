-- Record that a day is decided.
-- Grain: day. Writes: cohort.day. Parameters: as_of, policy_version, at, last_load_id.
-- Twice: the first record stands.
INSERT INTO cohort.day (as_of, policy_version, decided_at, last_load_id)
VALUES (:as_of, :policy_version, :at, :last_load_id)
ON CONFLICT (as_of) DO NOTHING;
