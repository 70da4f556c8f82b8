-- One contact's story, in the order of time. Of what they did before they first went quiet, the last
-- thing is enough: it is when they went quiet. No personal data in it.
-- Grain: event of the contact. Reads: cohort.contact_story, core.sign_of_life,
-- core.stop_elsewhere, cohort.episode. Writes nothing.
-- Parameters: contact_id, time_zone. happened_at: of an event of which only the day is known
-- (is_day_only), the end of that day. on_day: the brand's day that it counts for.
WITH dated AS (
    SELECT
        story.kind,
        story.what,
        nullif(story.detail, '') AS detail,
        story.message_id,
        story.place,
        coalesce(story.at, CAST(story.on_day + 1 AS timestamp) AT TIME ZONE :time_zone) AS happened_at,
        coalesce(CAST(story.at AT TIME ZONE :time_zone AS date), story.on_day) AS happened_on,
        coalesce(story.on_day, CAST(story.at AT TIME ZONE :time_zone AS date)) AS on_day,
        -- A source that knows only the date gives midnight: no hour is better than a false one.
        story.at IS NULL
        OR (story.kind = 'signal' AND CAST(story.at AT TIME ZONE :time_zone AS time) = '00:00')
            AS is_day_only
    FROM cohort.contact_story AS story
    WHERE story.contact_id = :contact_id
    UNION ALL
    -- What is not certain to be theirs, and holds them all the same.
    SELECT
        'signal',
        coalesce(word.label, CAST(sign.kind AS text)),
        'from ' || sign.source || ', under an id that several cards share (contact '
        || sign.by_contact_id || '): it may be any of them',
        NULL,
        4,
        sign.occurred_at,
        sign.occurred_on,
        sign.occurred_on,
        CAST(sign.occurred_at AT TIME ZONE :time_zone AS time) = '00:00'
    FROM core.sign_of_life AS sign
    LEFT JOIN core.word AS word
        ON word.about = 'core.interaction_kind' AND CAST(sign.kind AS text) = word.word
    WHERE sign.contact_id = :contact_id AND NOT sign.is_own
    UNION ALL
    SELECT
        'withdrawal',
        'A stop on contact ' || stop.by_contact_id || ' holds them too',
        CASE
            WHEN stop.is_by_email THEN 'Both cards have the same verified email.'
            WHEN stop.is_by_number THEN 'Both have the same number.'
            ELSE 'It is of an id that several cards share.'
        END || ' Until they agree anew themselves.',
        NULL,
        3,
        stop.stopped_at,
        CAST(stop.stopped_at AT TIME ZONE :time_zone AS date),
        CAST(stop.stopped_at AT TIME ZONE :time_zone AS date),
        FALSE
    FROM core.stop_elsewhere AS stop
    WHERE stop.contact_id = :contact_id
),

quiet AS (
    SELECT coalesce(min(episode.dormant_since), '-infinity') AS first_on
    FROM cohort.episode AS episode
    WHERE episode.contact_id = :contact_id
)

SELECT
    dated.happened_at,
    dated.happened_on,
    dated.on_day,
    dated.is_day_only,
    dated.kind,
    dated.what,
    dated.detail,
    dated.message_id
FROM dated
CROSS JOIN quiet
WHERE dated.kind <> 'signal' OR dated.on_day >= quiet.first_on
ORDER BY dated.happened_at, dated.place, dated.what, dated.detail;
