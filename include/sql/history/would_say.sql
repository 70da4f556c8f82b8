-- To whom a replay would have written, by all that their text depends on.
-- Grain: text × day. Reads: cohort__decision, core__contact. Parameters: from_day, to_day. Writes
-- nothing.
SELECT
    decision.step,
    coalesce(decision.variant, '') AS variant,
    contact.language,
    contact.country,
    contact.time_zone,
    contact.first_name,
    decision.as_of,
    count(*) AS contacts
FROM cohort__decision AS decision
INNER JOIN core__contact AS contact ON decision.contact_id = contact.contact_id
WHERE decision.as_of BETWEEN :from_day AND :to_day AND decision.action = 'send'
GROUP BY
    decision.step,
    decision.variant,
    contact.language,
    contact.country,
    contact.time_zone,
    contact.first_name,
    decision.as_of
ORDER BY decision.as_of;
