-- Make one contact of two: identities and interactions move to the one that is kept, which is
-- recorded, and can be undone by original_contact_id. Messages and episodes keep the contact they
-- belong to; an open episode of the merged one is evaluated no more.
-- Grain: merged contact. Writes: core.contact_identity, core.interaction, core.consent,
-- core.suppression, core.contact_attribute, core.contact, core.merge, cohort.dormancy, cohort.episode.
-- Parameters: merged_ids, kept_ids,
-- load_id.
-- Twice: a merged contact has nothing left to move.
UPDATE core.contact_identity AS identity
SET contact_id = pair.kept_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
WHERE identity.contact_id = pair.merged_id;

UPDATE core.interaction AS interaction
SET contact_id = pair.kept_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
WHERE interaction.contact_id = pair.merged_id;

UPDATE core.consent AS consent
SET contact_id = pair.kept_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
WHERE consent.contact_id = pair.merged_id;

-- A stop holds for the person, and a break does, whichever card it came in on.
INSERT INTO core.suppression (contact_id, phone_hash, channel, reason, source, since, until)
SELECT
    pair.kept_id,
    suppression.phone_hash,
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since,
    suppression.until
FROM core.suppressed_person AS suppression
INNER JOIN
    unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
    ON suppression.contact_id = pair.merged_id
WHERE suppression.reason <> 'inactivity'
ON CONFLICT (contact_id, channel, reason, (coalesce(phone_hash, ''))) WHERE lifted_at IS NULL DO NOTHING;

-- What they said of themselves last holds; what each card said stays with it.
INSERT INTO core.contact_attribute AS known (contact_id, name, value, said_at, message_id)
SELECT DISTINCT ON (pair.kept_id, attribute.name)
    pair.kept_id,
    attribute.name,
    attribute.value,
    attribute.said_at,
    attribute.message_id
FROM core.contact_attribute AS attribute
INNER JOIN
    unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
    ON attribute.contact_id = pair.merged_id
ORDER BY pair.kept_id ASC, attribute.name ASC, attribute.said_at DESC
ON CONFLICT (contact_id, name) DO UPDATE
    SET value = excluded.value, said_at = excluded.said_at, message_id = excluded.message_id
    WHERE known.said_at < excluded.said_at;

UPDATE core.contact AS contact
SET merged_into = pair.kept_id, updated_load_id = :load_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
WHERE contact.contact_id = pair.merged_id;

INSERT INTO core.merge (contact_id, merged_into, load_id)
SELECT
    pair.merged_id,
    pair.kept_id,
    :load_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id);

-- Who was merged into a contact that is itself merged now is found in one step.
UPDATE core.contact AS contact
SET merged_into = pair.kept_id
FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
WHERE contact.merged_into = pair.merged_id;

UPDATE core.contact AS contact
SET status = 'unsubscribed'
WHERE
    contact.contact_id = ANY(CAST(:kept_ids AS bigint[]))
    AND contact.status = 'active'
    AND EXISTS (
        SELECT 1
        FROM core.suppression AS suppression
        WHERE
            suppression.contact_id = contact.contact_id
            AND suppression.reason = 'opted_out'
            AND suppression.lifted_at IS NULL
    );

-- Who was won back on either card is left in peace.
UPDATE cohort.dormancy AS kept
SET active_closed_on = greatest(kept.active_closed_on, merged.active_closed_on)
FROM (
    SELECT
        pair.kept_id,
        max(dormancy.active_closed_on) AS active_closed_on
    FROM unnest(CAST(:merged_ids AS bigint[]), CAST(:kept_ids AS bigint[])) AS pair (merged_id, kept_id)
    INNER JOIN cohort.dormancy AS dormancy ON pair.merged_id = dormancy.contact_id
    GROUP BY pair.kept_id
) AS merged
WHERE kept.contact_id = merged.kept_id AND merged.active_closed_on IS NOT NULL;

UPDATE cohort.episode AS episode
SET next_due_on = NULL, next_step = NULL, last_final_on = coalesce(last_final_on, opened_on)
WHERE episode.closed_on IS NULL AND episode.contact_id = ANY(CAST(:merged_ids AS bigint[]));
