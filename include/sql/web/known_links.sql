-- Which of some codes are links.
-- Grain: link. Reads: outbox.link. Writes nothing. Parameters: codes.
SELECT link.code
FROM outbox.link AS link
WHERE link.code = ANY(CAST(:codes AS text[]));
