-- A refusal (a row of consents that is excluded, or says no) is over where a grant is dated later: in
-- the same file it is not kept, and a known one is put aside once such a grant comes, so that it is new
-- where a source says it again.
-- Grain: source row. Reads: staged, raw.load. Writes: staged, raw.consent. Parameters: load_id, source,
-- as_of. Twice: what is put aside is not looked at again.
DELETE FROM staged
USING staged AS later
WHERE
    staged.is_excluded
    AND later.reason IS NULL
    AND NOT later.is_excluded
    AND later.contact_source = staged.contact_source
    AND later.source_contact_id = staged.source_contact_id
    AND later.channel = staged.channel
    AND later.purpose = staged.purpose
    AND later.dated_on <= CAST(:as_of AS date)
    AND later.granted_at > greatest(staged.granted_at, staged.withdrawn_at)
    AND coalesce(later.withdrawn_at < later.granted_at, TRUE);

UPDATE raw.consent AS refusal
SET status = 'superseded', superseded_by = :load_id, stood_as = refusal.status
FROM staged, raw.load AS load
WHERE
    staged.reason IS NULL
    AND NOT staged.is_excluded
    AND staged.dated_on <= CAST(:as_of AS date)
    AND coalesce(staged.withdrawn_at < staged.granted_at, TRUE)
    AND refusal.source = :source
    AND refusal.contact_source = staged.contact_source
    AND refusal.source_contact_id = staged.source_contact_id
    AND refusal.channel = staged.channel
    AND refusal.purpose = staged.purpose
    AND refusal.status IN ('loaded', 'excluded')
    AND (refusal.status = 'excluded' OR coalesce(refusal.granted_at, refusal.withdrawn_at) IS NULL)
    AND load.load_id = refusal.load_id
    AND staged.granted_at
    > coalesce(greatest(refusal.granted_at, refusal.withdrawn_at), load.started_at);
