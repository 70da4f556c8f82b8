-- What followed the links of an episode's messages, and what it is taken for.
-- Grain: hit.
CREATE OR REPLACE VIEW outbox.hit_of_episode AS
SELECT
    message.contact_id,
    message.dormant_since,
    message.step,
    hit.message_id,
    hit.at,
    hit.verdict
FROM outbox.message AS message
INNER JOIN outbox.judged_hit AS hit
    ON message.contact_id = hit.contact_id AND message.message_id = hit.message_id;
