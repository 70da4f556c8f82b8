-- After how many days of quiet a rung of the ladder is reached, for a contact: the policy's days, bent
-- by the contact's pace, and one at least. NULL of no rung.
CREATE OR REPLACE FUNCTION cohort.rung_days(days double precision, pace double precision)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN days IS NOT NULL THEN greatest(1, CAST(round(days * pace) AS integer)) END
$$;
