-- What contacts had done by the day that it is in the past.
-- Grain: interaction. Reads: core.interaction, past_today. Writes: a temporary view of the session. No
-- parameters. Once a session.
CREATE TEMPORARY VIEW core__interaction AS
SELECT interaction.*
FROM core.interaction AS interaction
INNER JOIN past_today AS today ON interaction.occurred_on <= today.as_of;
