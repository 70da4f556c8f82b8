-- What the requests of some time said of themselves, each once.
-- Grain: method × user_agent × purpose. Reads: outbox.hit. Writes nothing. Parameters: from_at,
-- to_at (exclusive).
SELECT DISTINCT
    hit.method,
    hit.user_agent,
    hit.purpose
FROM outbox.hit AS hit
WHERE hit.at >= :from_at AND hit.at < :to_at;
