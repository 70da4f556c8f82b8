-- purpose: who has followed the links, people or machines, by step
-- grain: step; reads: outbox.judged_hit, outbox.message; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    message.step,
    count(DISTINCT hit.message_id) FILTER (WHERE hit.verdict = 'human') AS clicked,
    count(*) FILTER (WHERE hit.verdict = 'human' AND hit.kind <> 'beacon') AS by_people,
    count(*) FILTER (WHERE hit.verdict = 'machine' AND hit.kind <> 'beacon') AS by_machines,
    count(*) FILTER (WHERE hit.verdict = 'unsure' AND hit.kind <> 'beacon') AS unsure
FROM outbox.judged_hit AS hit
INNER JOIN outbox.message AS message
    ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
GROUP BY message.step
ORDER BY message.step;
