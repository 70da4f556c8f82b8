-- Forget the bodies of webhooks that nobody could map: they hold numbers. That they came stays.
-- Grain: webhook. Writes: outbox.webhook. Parameters: keep_days (before the newest that came).
-- Twice: nothing is left to forget.
UPDATE outbox.webhook
SET body = NULL, mapped_at = webhook.received_at
WHERE
    webhook.mapped_at IS NULL
    AND webhook.received_at < (
        SELECT max(newest.received_at) FROM outbox.webhook AS newest
    ) - make_interval(days => CAST(:keep_days AS integer));
