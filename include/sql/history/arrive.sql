-- What came on a day of the past, and on the first one all that had come before: into what stands in for
-- the tables, and for core/add_activity and core/redo_activity.
-- Returns how many contacts are put together anew.
-- Grain: row that came. Reads: what is to come (history/begin_past), core.contact, core.consent,
-- core.suppression. Writes: core__*, the temporary tables arrived and corrected. Parameters: as_of,
-- after_day (what came until it is there; NULL: nothing is), load_id, is_known. Once a day.
DELETE FROM past_today;

INSERT INTO past_today (as_of, is_known) VALUES (:as_of, :is_known);

INSERT INTO core__contact (
    contact_id, phone_e164, phone_hash, first_name, language, country, time_zone, lifecycle_class,
    created_on, status, first_source, first_source_contact_id, first_seen_on, updated_load_id,
    phone_kind
)
SELECT
    contact.contact_id,
    contact.phone_e164,
    contact.phone_hash,
    contact.first_name,
    contact.language,
    contact.country,
    contact.time_zone,
    contact.lifecycle_class,
    contact.created_on,
    'active',
    contact.first_source,
    contact.first_source_contact_id,
    contact.first_seen_on,
    :load_id,
    contact.phone_kind
FROM coming_contact AS coming
INNER JOIN core.contact AS contact ON coming.contact_id = contact.contact_id
WHERE coming.on_day > coalesce(CAST(:after_day AS date), '-infinity') AND coming.on_day <= :as_of;

INSERT INTO core__contact_activity (contact_id, visible_on, updated_load_id)
SELECT
    coming.contact_id,
    coming.visible_on,
    :load_id
FROM coming_contact AS coming
WHERE coming.on_day > coalesce(CAST(:after_day AS date), '-infinity') AND coming.on_day <= :as_of;

INSERT INTO core__consent (
    consent_id, contact_id, source, record_key, channel, purpose, basis, granted_at, withdrawn_at,
    effective_at, load_id
)
SELECT
    2 * consent.consent_id + coming.part,
    consent.contact_id,
    consent.source,
    consent.record_key,
    consent.channel,
    consent.purpose,
    consent.basis,
    consent.granted_at,
    coming.withdrawn_at,
    consent.effective_at,
    :load_id
FROM coming_consent AS coming
INNER JOIN core.consent AS consent
    ON coming.contact_id = consent.contact_id AND coming.consent_id = consent.consent_id
WHERE coming.on_day > coalesce(CAST(:after_day AS date), '-infinity') AND coming.on_day <= :as_of;

-- What ended makes room for what began again on the same day.
UPDATE core__suppression AS standing
SET lifted_at = suppression.lifted_at
FROM coming_suppression AS coming
INNER JOIN core.suppression AS suppression
    ON
        coming.contact_id = suppression.contact_id
        AND coming.suppression_id = suppression.suppression_id
WHERE
    coming.lifted_on > coalesce(CAST(:after_day AS date), '-infinity')
    AND coming.lifted_on <= :as_of
    AND standing.contact_id = coming.contact_id
    AND standing.suppression_id = coming.suppression_id;

INSERT INTO core__suppression (
    suppression_id, contact_id, phone_hash, channel, reason, source, since, until
)
OVERRIDING SYSTEM VALUE
SELECT
    suppression.suppression_id,
    suppression.contact_id,
    suppression.phone_hash,
    suppression.channel,
    suppression.reason,
    suppression.source,
    suppression.since,
    suppression.until
FROM coming_suppression AS coming
INNER JOIN core.suppression AS suppression
    ON
        coming.contact_id = suppression.contact_id
        AND coming.suppression_id = suppression.suppression_id
WHERE
    coming.on_day > coalesce(CAST(:after_day AS date), '-infinity')
    AND coming.on_day <= :as_of
    AND coalesce(coming.lifted_on > :as_of, TRUE)
ON CONFLICT DO NOTHING;

DROP TABLE IF EXISTS corrected;

-- What came before or late is put together with the rest.
CREATE TEMPORARY TABLE corrected ON COMMIT DROP AS
SELECT coming.contact_id
FROM coming_contact AS coming
WHERE
    coming.on_day > coalesce(CAST(:after_day AS date), '-infinity') AND coming.on_day <= :as_of
UNION
SELECT late.contact_id
FROM coming_deed AS late
WHERE late.on_day = :as_of AND late.occurred_on < :as_of
UNION
SELECT taken_back.contact_id
FROM taken_back
WHERE taken_back.taken_back_on = :as_of;

ANALYZE corrected;

DROP TABLE IF EXISTS arrived;

CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
SELECT
    deed.contact_id,
    deed.kind,
    deed.occurred_on AS dated_on
FROM coming_deed AS deed
WHERE deed.on_day = :as_of;

ANALYZE arrived;

SELECT count(*) AS corrected FROM corrected;
