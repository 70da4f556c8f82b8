-- Who a contact is by what is known today: the one that it was merged into, or itself.
CREATE OR REPLACE FUNCTION core.person(contact_id bigint, merged_into bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(merged_into, contact_id)
$$;
