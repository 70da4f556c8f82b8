-- A reply from the number waits for a person: looked at again the next day.
ALTER TYPE cohort.reason ADD VALUE 'unread_reply' AFTER 'suppressed';

-- The provider says that the number is somebody else's now: it says nothing of who had it.
ALTER TYPE core.suppression_reason ADD VALUE 'number_reassigned' AFTER 'hard_bounce';
