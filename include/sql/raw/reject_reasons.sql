-- Why rows of a load were rejected, with an example's place: for the message to a person.
-- Grain: reason × file. Reads: raw.reject, raw.file. Parameters: file_ids.
SELECT
    file.path,
    reject.reason,
    count(*) AS rows_rejected,
    min(reject.line) AS first_line
FROM raw.reject AS reject
INNER JOIN raw.file AS file ON reject.file_id = file.file_id
WHERE file.file_id = ANY(CAST(:file_ids AS bigint[]))
GROUP BY file.path, reject.reason
ORDER BY rows_rejected DESC, file.path ASC, reject.reason ASC
LIMIT 20;
