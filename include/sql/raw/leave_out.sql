-- Leave out what a source has said anew, further down in the same part.
-- Grain: staged row. Writes: staged. Parameters: first_lines, last_lines (of each that is void, in the
-- same order). Twice: nothing is left to leave out.
DELETE FROM staged
USING
    unnest(
        CAST(:first_lines AS bigint[]), CAST(:last_lines AS bigint[])
    ) AS void (first_line, last_line)
WHERE staged.line BETWEEN void.first_line AND void.last_line;
