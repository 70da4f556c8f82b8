-- Remove the interactions whose source says something else now (corrected, moved to another
-- contact, or no fact any more), and note their contacts: a last date may have to go back. Nearly all
-- stand under the day that their row named; what a refund has put under the day of its order is looked
-- for in all months.
-- Grain: interaction. Reads: raw.interaction, core.contact_identity. Writes: core.interaction, the
-- temporary tables replaced (what was said before) and corrected (contact). Parameters: load_id.
-- Twice: what is removed is gone.
DROP TABLE IF EXISTS corrected;

CREATE TEMPORARY TABLE corrected (contact_id bigint PRIMARY KEY) ON COMMIT DROP;

DROP TABLE IF EXISTS replaced;

CREATE TEMPORARY TABLE replaced ON COMMIT DROP AS
SELECT
    identity.contact_id,
    old.source,
    old.record_key AS source_event_id,
    old.dated_on AS occurred_on
FROM raw.interaction AS old
INNER JOIN core.contact_identity AS identity
    ON
        old.contact_source = identity.source
        AND old.source_contact_id = identity.source_contact_id
WHERE old.superseded_by = :load_id;

ANALYZE replaced;

WITH removed AS (
    DELETE FROM core.interaction AS interaction
    USING replaced
    WHERE
        interaction.contact_id = replaced.contact_id
        AND interaction.occurred_on = replaced.occurred_on
        AND interaction.source = replaced.source
        AND interaction.source_event_id = replaced.source_event_id
    RETURNING interaction.contact_id, interaction.source, interaction.source_event_id
),

-- Looked for no more.
found AS (
    DELETE FROM replaced
    USING removed
    WHERE
        replaced.source = removed.source
        AND replaced.source_event_id = removed.source_event_id
        AND replaced.contact_id = removed.contact_id
)

INSERT INTO corrected (contact_id)
SELECT DISTINCT removed.contact_id FROM removed;

ANALYZE replaced;

WITH removed AS (
    DELETE FROM core.interaction AS interaction
    USING replaced
    WHERE
        interaction.contact_id = replaced.contact_id
        AND interaction.source = replaced.source
        AND interaction.source_event_id = replaced.source_event_id
    RETURNING interaction.contact_id
)

INSERT INTO corrected (contact_id)
SELECT DISTINCT removed.contact_id
FROM removed
ON CONFLICT (contact_id) DO NOTHING;

-- Few contacts: the planner should know.
ANALYZE corrected;
