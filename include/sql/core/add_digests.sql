-- Note which digests, by which cards are told, are of one number.
-- Grain: pair of digests. Writes: core.digest_alias. Parameters: digests, alias_digests: a digest of a
-- number, and another one. Twice: what is there stays.
INSERT INTO core.digest_alias (digest, alias_digest)
SELECT DISTINCT
    pair.digest,
    pair.alias_digest
FROM
    unnest(CAST(:digests AS text[]), CAST(:alias_digests AS text[])) AS pair (digest, alias_digest)
ON CONFLICT (digest, alias_digest) DO NOTHING;
