-- The keys (outbox.code_key) of all codes that a text may hold: runs of up to eight groups of letters
-- and digits, whatever is between the groups, as a code is typed with blanks or signs in it. Of the
-- length that codes have.
CREATE OR REPLACE FUNCTION outbox.code_keys(said text) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
SELECT
    coalesce(array_agg(DISTINCT run.code_key), '{}')
FROM (
    SELECT array_to_string(words.word[start.place:start.place + more.words], '') AS code_key
    FROM (
        SELECT regexp_split_to_array(upper(said COLLATE "C"), '[^A-Z0-9]+') AS word
    ) AS words
    CROSS JOIN LATERAL generate_series(1, cardinality(words.word)) AS start (place)
    CROSS JOIN LATERAL generate_series(0, least(7, cardinality(words.word) - start.place))
        AS more (words)
) AS run
WHERE length(run.code_key) BETWEEN 4 AND 40
$$;
