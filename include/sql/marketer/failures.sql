-- purpose: with which codes the texts of a day were refused or not delivered
-- grain: status x code; reads: outbox.message (by message_by_day); writes: nothing
-- parameters: day (date, brand's zone)
-- twice: it only reads
SELECT
    status,
    error_code AS code,
    count(*) AS messages
FROM outbox.message
WHERE
    as_of = cast(:day AS date)
    AND status IN ('rejected', 'undelivered', 'expired')
    AND error_code IS NOT NULL
GROUP BY status, error_code
ORDER BY messages DESC, code ASC, status ASC;
