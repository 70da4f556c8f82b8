-- What of a load's consents had to be read in another way than it is written, with an example's
-- place: for the message to a person.
-- Grain: file × column × how it was read. Reads: raw.consent, raw.file. Parameters: load_id.
SELECT
    file.path,
    problem.key AS name,
    problem.value AS what,
    count(*) AS consents,
    min(row.line) AS first_line
FROM raw.consent AS row
INNER JOIN raw.file AS file ON row.file_id = file.file_id
CROSS JOIN jsonb_each_text(row.problems) AS problem (key, value)
WHERE
    row.load_id = :load_id
    AND row.problems IS NOT NULL
    AND problem.key IN ('granted_at', 'withdrawn_at', 'channel', 'purpose')
GROUP BY file.path, problem.key, problem.value
ORDER BY consents DESC, file.path ASC, name ASC
LIMIT 20;
