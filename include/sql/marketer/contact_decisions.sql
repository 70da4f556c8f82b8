-- purpose: the last decisions about a contact
-- grain: contact x as_of; reads: cohort.decision, cohort.day; writes: nothing
-- parameters: contact_id, row_limit
-- twice: it only reads
SELECT
    decision.as_of,
    day.decided_at,
    decision.inactive_days,
    decision.step,
    decision.action,
    decision.reason
FROM cohort.decision AS decision
LEFT JOIN cohort.day AS day ON decision.as_of = day.as_of
WHERE decision.contact_id = cast(:contact_id AS bigint)
ORDER BY decision.as_of DESC
LIMIT cast(:row_limit AS bigint);
