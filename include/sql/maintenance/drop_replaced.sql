-- Drop the rows that a load replaced and that their own file has since said anew. The last word of
-- every file stays: by it a file that is read again is told from one that brings news.
-- Grain: source row. Reads: raw.file. Writes: raw.entity. Parameters: load_id.
-- Twice: nothing is left to drop.
DELETE FROM raw.entity AS old
USING raw.file AS file
WHERE
    old.superseded_by = :load_id
    AND old.status = 'superseded'
    AND file.file_id = old.file_id
    AND (
        EXISTS (
            SELECT 1
            FROM raw.entity AS newer
            INNER JOIN raw.file AS its_file ON newer.file_id = its_file.file_id
            WHERE
                newer.source = old.source
                AND newer.record_key = old.record_key
                AND newer.status <> 'superseded'
                AND its_file.path = file.path
                AND (newer.file_id, newer.line) > (old.file_id, old.line)
        )
        OR EXISTS (
            SELECT 1
            FROM raw.entity AS newer
            INNER JOIN raw.file AS its_file ON newer.file_id = its_file.file_id
            WHERE
                newer.source = old.source
                AND newer.record_key = old.record_key
                AND newer.status = 'superseded'
                AND its_file.path = file.path
                AND (newer.file_id, newer.line) > (old.file_id, old.line)
        )
    );
