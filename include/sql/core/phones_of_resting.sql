-- Numbers that somebody had before, and that the sources' rows still say, of hashes that are not known
-- under the key in use.
-- Grain: number × hash. Reads: raw.contact, core.resting_hash, core.phone_alias. Parameters: prefix: of
-- the key in use. Writes nothing.
SELECT DISTINCT
    card.phone,
    card.phone_hash
FROM raw.contact AS card
WHERE
    card.phone IS NOT NULL
    AND card.phone_hash IN (
        SELECT resting.phone_hash
        FROM core.resting_hash AS resting
        WHERE
            core.key_prefix(resting.phone_hash) <> CAST(:prefix AS text)
            AND NOT EXISTS (
                SELECT 1
                FROM core.phone_alias AS alias
                WHERE
                    alias.phone_hash = resting.phone_hash
                    AND core.key_prefix(alias.alias_hash) = CAST(:prefix AS text)
            )
    );
