-- Tell apart the rows of a file that are rejected for a reason that stops no day: those that name
-- nobody, where its source says what becomes of them; consents that say nothing.
-- Grain: staged row. Writes: staged. Parameters: reason (why such a row is rejected), are_left_out
-- (they are kept nowhere; else they stay rejects). Returns how many there are. Twice: those that were
-- left out are counted no more.
WITH guest AS (
    SELECT staged.line
    FROM staged
    WHERE staged.reason = :reason
),

left_out AS (
    DELETE FROM staged
    USING guest
    WHERE CAST(:are_left_out AS boolean) AND staged.line = guest.line
)

SELECT count(*) FROM guest;
