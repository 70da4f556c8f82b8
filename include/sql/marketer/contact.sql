-- purpose: who a contact is, as far as the page may say: no full name, no phone number
-- grain: contact; reads: core.contact, core.contact_activity, core.source_ids; writes: nothing
-- parameters: contact_id
-- twice: it only reads
SELECT
    contact.contact_id,
    contact.first_name,
    left(contact.last_name, 1) AS last_initial,
    '•••• ' || right(contact.phone_e164, 2) AS phone,
    contact.status,
    contact.language,
    contact.country,
    contact.lifecycle_class,
    contact.merged_into,
    coalesce(contact.created_on, contact.first_seen_on) AS known_since,
    activity.last_signal_on,
    activity.purchases,
    named.ids AS source_ids
FROM core.contact AS contact
LEFT JOIN core.contact_activity AS activity ON contact.contact_id = activity.contact_id
LEFT JOIN
    LATERAL (
        SELECT source_ids.ids
        FROM core.source_ids AS source_ids
        WHERE source_ids.contact_id = contact.contact_id
    ) AS named
    ON TRUE
WHERE contact.contact_id = cast(:contact_id AS bigint);
