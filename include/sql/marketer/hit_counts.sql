-- purpose: who has followed the links, people or machines, by step: each text once, so that it adds up
-- grain: step; reads: outbox.judged_hit, outbox.message; writes: nothing
-- parameters: none
-- twice: it only reads
SELECT
    followed.step,
    count(*) AS followed,
    count(*) FILTER (WHERE followed.is_clicked) AS clicked,
    count(*) FILTER (WHERE NOT followed.is_clicked AND followed.is_unsure) AS unsure,
    count(*) FILTER (WHERE NOT followed.is_clicked AND NOT followed.is_unsure) AS by_machines
FROM (
    SELECT
        message.step,
        bool_or(hit.verdict = 'human') AS is_clicked,
        bool_or(hit.verdict = 'unsure') AS is_unsure
    FROM outbox.judged_hit AS hit
    INNER JOIN outbox.message AS message
        ON hit.contact_id = message.contact_id AND hit.message_id = message.message_id
    GROUP BY message.contact_id, message.message_id, message.step
) AS followed
GROUP BY followed.step
ORDER BY followed.step;
