-- Keep what a version of the policy says, at its first day.
-- Grain: policy. Writes: cohort.policy. Parameters: policy_version, text, as_of. Twice: the first
-- record stands.
INSERT INTO cohort.policy (policy_version, text, first_as_of)
VALUES (:policy_version, :text, :as_of)
ON CONFLICT (policy_version) DO NOTHING;
