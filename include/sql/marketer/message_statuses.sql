-- purpose: what became of the messages that a day drafted
-- grain: step x status; reads: outbox.message (by message_by_day); writes: nothing
-- parameters: day (date, brand's zone)
-- twice: it only reads
SELECT
    step,
    status,
    count(*) AS messages
FROM outbox.message
WHERE as_of = cast(:day AS date)
GROUP BY step, status
ORDER BY status, step;
