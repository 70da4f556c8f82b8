-- How the episodes that are over ended, as the pages say it.
-- Grain: ending. Reads: outcome.ended. No parameters. Writes nothing.
SELECT
    ended.label AS outcome,
    count(*) AS contacts
FROM outcome.ended AS ended
GROUP BY ended.outcome, ended.label
ORDER BY ended.outcome, ended.label;
