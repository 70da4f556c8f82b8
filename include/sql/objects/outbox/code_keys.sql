-- The keys (outbox.code_key) of all codes that a text may hold: runs of up to eight groups of
-- letters and digits, whatever is between the groups, as a code is typed with blanks or signs in
-- it, or stands among others or within words (SAVE5, TZMPD-4QTHR; code:C2RXK-HFN6S|amount:5.00). Of
-- the length that codes have. The index core.interaction_by_code keeps what this gives: another
-- rule needs a migration that makes it anew.
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
