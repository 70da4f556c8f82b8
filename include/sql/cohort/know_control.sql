-- Note of days from before it was kept by which word and share they drew the control group: the
-- policy of a version has one.
-- Grain: day. Writes: cohort.day. Parameters: policy_version, control_salt, control_share. Twice:
-- nothing is missing any more.
UPDATE cohort.day AS day
SET control_salt = :control_salt, control_share = :control_share
WHERE day.control_salt IS NULL AND day.policy_version = :policy_version;
