-- Whether a stop came by reply: what a START by reply takes back. `unread`: nobody had read a reply
-- in time. What was pressed on a page, or said in a shop, is not among them.
CREATE OR REPLACE FUNCTION core.is_by_reply(source text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT source IN ('reply', 'provider', 'receipt', 'unread')
$$;
