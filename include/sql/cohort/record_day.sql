-- Record that a day is decided. The base is what the day before knew and what has come since.
-- Grain: day. Reads: cohort.day, cohort.decision. Writes: cohort.day. Parameters: as_of,
-- policy_version, at, last_load_id, contacts (null: those of the latest day, and new_contacts more),
-- new_contacts, control_salt and control_share (how the control group was drawn), variants (how those
-- of steps were; NULL: no step has any). Twice: the first record stands.
INSERT INTO cohort.day (
    as_of, policy_version, decided_at, last_load_id, contacts, sends, control_salt, control_share,
    variants
)
SELECT
    :as_of,
    :policy_version,
    :at,
    :last_load_id,
    coalesce(
        CAST(:contacts AS bigint),
        (SELECT latest.contacts FROM cohort.day AS latest ORDER BY latest.as_of DESC LIMIT 1)
        + CAST(:new_contacts AS bigint)
    ),
    (
        SELECT count(*)
        FROM cohort.decision AS decision
        WHERE decision.as_of = :as_of AND decision.action = 'send'
    ),
    :control_salt,
    :control_share,
    CAST(:variants AS jsonb)
ON CONFLICT (as_of) DO NOTHING;
