-- Whether a text can arrive there, as far as anybody knows: only what is certain holds one back.
CREATE OR REPLACE FUNCTION core.may_be_mobile(kind core.phone_kind) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
SELECT coalesce(kind IN ('mobile', 'fixed_line_or_mobile', 'unknown'), TRUE)
$$;
