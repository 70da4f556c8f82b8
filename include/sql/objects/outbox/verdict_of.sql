-- What a rule comes to. Until version 3 of the rules no sign of a machine was taken for a person,
-- and stays so until it is judged again.
-- outbox.verdict keeps what this gives: another rule needs a migration that fills it anew.
CREATE OR REPLACE FUNCTION outbox.verdict_of(rule outbox.rule, version integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        CASE
            WHEN rule IN ('press', 'confirmed', 'browser') THEN 'human'
            WHEN rule = 'no_sign' AND version <= 3 THEN 'human'
            WHEN rule = 'no_sign' THEN 'unsure'
            ELSE 'machine'
        END
$$;
