-- The other hashes of a number: of its other spellings (a mobile prefix that is left out, a numbering
-- plan that has changed), and of other keys, should there be several. Both ways round, so that one
-- look-up finds all. A hash that is here is never rewritten: what rests on it is found by the others.
CREATE TABLE core.phone_alias (
    phone_hash text NOT NULL,
    alias_hash text NOT NULL,
    PRIMARY KEY (phone_hash, alias_hash)
);

-- Every hash that the number of a hash is known by, itself included. No number, no hashes.
CREATE FUNCTION core.phone_hashes(phone_hash text) RETURNS text[]
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT
        array_prepend(
            $1, ARRAY(SELECT alias.alias_hash FROM core.phone_alias AS alias WHERE alias.phone_hash = $1)
        )
$$;

-- Whether a reason is said of a number alone. It holds whoever has the number, and nobody who has
-- another one by now. The others hold the person, and the number.
CREATE FUNCTION core.is_of_number(reason core.suppression_reason) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT reason IN ('hard_bounce', 'number_reassigned')
$$;

-- Whether a stop came by reply: what a START by reply takes back. `unread`: nobody had read a reply
-- in time. What was pressed on a page, or said in a shop, is not among them.
CREATE FUNCTION core.is_by_reply(source text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT source IN ('reply', 'provider', 'receipt', 'unread')
$$;

ALTER TABLE outbox.receipt DROP CONSTRAINT receipt_suppress_check;
ALTER TABLE outbox.receipt ADD CONSTRAINT receipt_suppress_check
CHECK (suppress IN ('hard_bounce', 'opted_out', 'number_reassigned'));
