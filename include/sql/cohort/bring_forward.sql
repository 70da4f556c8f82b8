-- Evaluate held episodes again whose contact's card or consent has changed since, or whose
-- suppression (the contact's, or the number's) was lifted, or whose reply was read; and those who may
-- have been held by another whose stop is over: what stood in the way may be gone.
-- Control stays control, and a ladder that is used up stays so.
-- Grain: episode. Reads: core.contact, core.consent, core.stop_tie, core.suppression,
-- core.phone_alias, outbox.reply. Writes: cohort.episode.
-- Parameters: after_load_id, after, as_of, rungs (of the ladder). Twice: the same date.
WITH agreed AS (
    -- Who has ever withdrawn, and says something else now, or was corrected.
    SELECT DISTINCT consent.contact_id
    FROM core.consent AS consent
    WHERE
        consent.load_id > :after_load_id
        AND EXISTS (
            SELECT 1
            FROM core.consent AS past
            WHERE past.contact_id = consent.contact_id AND past.withdrawn_at IS NOT NULL
        )
)

UPDATE cohort.episode AS episode
SET
    next_due_on = least(coalesce(episode.next_due_on, CAST(:as_of AS date)), CAST(:as_of AS date)),
    last_position = episode.done_position
WHERE
    episode.closed_on IS NULL
    AND episode.done_position < CAST(:rungs AS integer)
    AND episode.last_action = 'hold'
    AND episode.arm IS DISTINCT FROM 'control'
    AND episode.contact_id IN (
        SELECT contact.contact_id
        FROM core.contact AS contact
        WHERE contact.updated_load_id > :after_load_id AND contact.merged_into IS NULL
        UNION ALL
        SELECT consent.contact_id
        FROM core.consent AS consent
        WHERE consent.load_id > :after_load_id
        UNION ALL
        -- Whom they held.
        SELECT tie.contact_id
        FROM agreed
        INNER JOIN core.stop_tie AS tie ON agreed.contact_id = tie.by_contact_id
        UNION ALL
        SELECT contact.contact_id
        FROM (
            SELECT DISTINCT form.phone_hash
            FROM agreed
            INNER JOIN core.contact AS holder ON agreed.contact_id = holder.contact_id
            CROSS JOIN LATERAL unnest(core.phone_hashes(holder.phone_hash)) AS form (phone_hash)
        ) AS number
        INNER JOIN core.contact AS contact ON number.phone_hash = contact.phone_hash
        UNION ALL
        -- Or whom a stop held that was lifted.
        SELECT tie.contact_id
        FROM core.suppression AS suppression
        INNER JOIN core.stop_tie AS tie ON suppression.contact_id = tie.by_contact_id
        WHERE suppression.lifted_at > CAST(:after AS timestamptz)
        UNION ALL
        SELECT suppression.contact_id
        FROM core.suppression AS suppression
        WHERE suppression.lifted_at > CAST(:after AS timestamptz)
        UNION ALL
        SELECT contact.contact_id
        FROM core.suppression AS suppression
        INNER JOIN core.contact AS contact ON suppression.phone_hash = contact.phone_hash
        WHERE suppression.lifted_at > CAST(:after AS timestamptz)
        UNION ALL
        SELECT contact.contact_id
        FROM core.suppression AS suppression
        INNER JOIN core.phone_alias AS alias ON suppression.phone_hash = alias.phone_hash
        INNER JOIN core.contact AS contact ON alias.alias_hash = contact.phone_hash
        WHERE suppression.lifted_at > CAST(:after AS timestamptz)
        UNION ALL
        -- What a person has read since, however long ago it was written.
        SELECT contact.contact_id
        FROM outbox.reply AS reply
        INNER JOIN core.contact AS contact ON reply.phone_hash = contact.phone_hash
        WHERE reply.meaning <> 'stop' AND reply.reviewed_at > CAST(:after AS timestamptz)
        UNION ALL
        SELECT contact.contact_id
        FROM outbox.reply AS reply
        INNER JOIN core.phone_alias AS alias ON reply.phone_hash = alias.phone_hash
        INNER JOIN core.contact AS contact ON alias.alias_hash = contact.phone_hash
        WHERE reply.meaning <> 'stop' AND reply.reviewed_at > CAST(:after AS timestamptz)
    );
