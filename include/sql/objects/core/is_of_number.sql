-- Whether a reason is said of a number alone. It holds whoever has the number, and nobody who has
-- another one by now. The others hold the person, and the number.
CREATE OR REPLACE FUNCTION core.is_of_number(reason core.suppression_reason) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT reason IN ('hard_bounce', 'number_reassigned')
$$;
