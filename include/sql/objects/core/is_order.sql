-- Whether an interaction is an order: something was bought, in the shop or with a loyalty card.
CREATE OR REPLACE FUNCTION core.is_order(kind core.interaction_kind)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT kind IN ('purchase', 'loyalty')
$$;
