-- Remove the interactions whose source says something else now (corrected, moved to another
-- contact, or no fact any more), and note their contacts: a last date may have to go back.
-- Grain: interaction. Reads: raw.interaction. Writes: core.interaction, the temporary table
-- corrected (contact). Parameters: load_id. Twice: what is removed is gone.
DROP TABLE IF EXISTS corrected;

CREATE TEMPORARY TABLE corrected (contact_id bigint PRIMARY KEY) ON COMMIT DROP;

WITH removed AS (
    DELETE FROM core.interaction AS interaction
    USING raw.interaction AS old, core.contact_identity AS identity
    WHERE
        old.superseded_by = :load_id
        AND identity.source = old.contact_source
        AND identity.source_contact_id = old.source_contact_id
        AND interaction.contact_id = identity.contact_id
        AND interaction.source = old.source
        AND interaction.source_event_id = old.record_key
    RETURNING interaction.contact_id
)

INSERT INTO corrected (contact_id)
SELECT DISTINCT removed.contact_id FROM removed;

-- Few contacts: the planner should know.
ANALYZE corrected;
