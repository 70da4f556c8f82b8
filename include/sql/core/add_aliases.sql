-- Note the other hashes of numbers, both ways round.
-- Grain: pair of hashes. Writes: core.phone_alias. Parameters: phone_hashes, alias_hashes.
-- Twice: what is there stays.
INSERT INTO core.phone_alias (phone_hash, alias_hash)
SELECT DISTINCT
    pair.phone_hash,
    pair.alias_hash
FROM
    unnest(CAST(:phone_hashes AS text[]), CAST(:alias_hashes AS text[]))
        AS pair (phone_hash, alias_hash)
ON CONFLICT (phone_hash, alias_hash) DO NOTHING;
