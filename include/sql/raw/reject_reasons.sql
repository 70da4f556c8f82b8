-- Why rows of a load were rejected, with an example's place: for the message to a person.
-- Grain: reason × file. Reads: raw.reject, raw.file. Parameters: source, paths.
WITH current_file AS (
    SELECT DISTINCT ON (file.path)
        file.file_id,
        file.path
    FROM raw.file AS file
    WHERE file.source = :source AND file.path = ANY(CAST(:paths AS text[]))
    ORDER BY file.path ASC, file.file_id DESC
)

SELECT
    current_file.path,
    reject.reason,
    count(*) AS rows_rejected,
    min(reject.line) AS first_line
FROM raw.reject AS reject
INNER JOIN current_file ON reject.file_id = current_file.file_id
WHERE reject.source = :source
GROUP BY current_file.path, reject.reason
ORDER BY rows_rejected DESC, current_file.path ASC, reject.reason ASC
LIMIT 20;
