-- Bare: when the decided episodes are looked at next.
-- Grain: episode decided on as_of. Reads: cohort.decision. Writes: cohort.episode.
-- Parameters: as_of, step_days. Twice: the same values.
UPDATE cohort.episode AS episode
SET
    last_action = decision.action,
    last_sent_on = CASE WHEN decision.action = 'send' THEN decision.as_of ELSE episode.last_sent_on END,
    last_final_on = CASE WHEN decision.reason = 'gap' THEN episode.last_final_on ELSE decision.as_of END,
    arm = CASE
        WHEN decision.action = 'send' THEN 'treatment'
        WHEN decision.reason = 'control' THEN 'control'
        ELSE episode.arm
    END,
    next_due_on = CASE
        WHEN decision.reason = 'gap' THEN decision.as_of + 1
        ELSE
            decision.dormant_since + (CAST(:step_days AS integer[]))[
                1 + width_bucket(decision.inactive_days, CAST(:step_days AS integer[]))
            ]
    END
FROM cohort.decision AS decision
WHERE
    decision.as_of = :as_of
    AND episode.contact_id = decision.contact_id
    AND episode.dormant_since = decision.dormant_since;
