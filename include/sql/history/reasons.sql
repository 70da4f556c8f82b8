-- Why those who were due in scenarios were written to, or not, in words.
-- Grain: scenario × reason, in the order in which they are asked. Reads: history.cohort_reason,
-- core.word. Parameters: scenarios, from_day, to_day. Writes nothing.
SELECT
    counted.scenario,
    coalesce(word.label, CAST(counted.reason AS text)) AS label,
    counted.contacts
FROM (
    SELECT
        reason.scenario,
        reason.reason,
        sum(reason.contacts) AS contacts
    FROM history.cohort_reason AS reason
    WHERE
        reason.scenario = ANY(CAST(:scenarios AS text[]))
        AND reason.as_of BETWEEN :from_day AND :to_day
    GROUP BY reason.scenario, reason.reason
) AS counted
LEFT JOIN core.word AS word
    ON word.about = 'cohort.reason' AND CAST(counted.reason AS text) = word.word
ORDER BY counted.reason ASC, counted.scenario ASC;
