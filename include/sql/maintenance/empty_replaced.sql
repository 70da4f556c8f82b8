-- Empty the rows that a load replaced of the source's record, which may name a person. What is left
-- is what was known when, and by what a file that is read again is told from one that brings news.
-- Grain: source row. Writes: raw.entity. Parameters: load_id. Twice: nothing is left to empty.
UPDATE raw.entity AS old
SET record = '{}', problems = NULL
WHERE old.superseded_by = :load_id AND old.status = 'superseded' AND old.record <> '{}';
