-- What contacts had done by the day that it is in the past; where it goes by what was known, as far as it
-- had been loaded.
-- Grain: interaction. Reads: core.interaction, raw.load, past_today. Writes: a temporary view of the session. No
-- parameters. Once a session.
CREATE TEMPORARY VIEW core__interaction AS
SELECT interaction.*
FROM core.interaction AS interaction
LEFT JOIN raw.load AS load ON interaction.load_id = load.load_id
INNER JOIN past_today AS today
    ON
        interaction.occurred_on <= today.as_of
        AND (load.as_of <= today.as_of OR NOT today.is_known);
