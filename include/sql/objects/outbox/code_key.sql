-- A code as it is compared: its letters and digits alone, case folded. SPRING-001 = spring001.
-- Other than letters and digits are the signs of ASCII, and the spaces and dashes of Unicode.
-- outbox.coupon and outbox.pool_code keep what this gives: another rule needs a migration that
-- fills them anew.
CREATE OR REPLACE FUNCTION outbox.code_key(code text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT upper(
    regexp_replace(code, '[\s!-/:-@\[-`{-~\u00A0\u2000-\u206F\u2212]', '', 'g') COLLATE "C"
)
$$;
