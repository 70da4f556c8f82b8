-- The kin, by number.
-- Grain: card or id. Reads: kin. No parameters. Writes nothing.
SELECT kin.node
FROM kin;
