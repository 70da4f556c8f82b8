-- Whom a suppression holds, said in a column: whoever reads it asks the column, and no list of reasons.
--
-- person   whoever the contact is, whichever number they have by now; and the number that it was said
--          on (phone_hash), whoever has it
-- number   whoever has the number, and nobody who has another one by now
-- address  the same, of an email address
CREATE TYPE core.suppression_scope AS ENUM ('person', 'number', 'address');

-- It follows from what was said, so that none can be written that says otherwise: a number that does
-- not exist, or is somebody else's now, and what names a number and no contact (contact 0), are of the
-- number; all else is of the person.
ALTER TABLE core.suppression
ADD COLUMN scope core.suppression_scope NOT NULL GENERATED ALWAYS AS (
    CASE
        WHEN contact_id <> 0 AND reason NOT IN ('hard_bounce', 'number_reassigned')
            THEN CAST('person' AS core.suppression_scope)
        WHEN channel = 'email' THEN CAST('address' AS core.suppression_scope)
        ELSE CAST('number' AS core.suppression_scope)
    END
) STORED;

COMMENT ON COLUMN core.suppression.scope IS
'Whom it holds: the person and the number it was said on; the number alone; or the address alone';

DROP FUNCTION IF EXISTS core.is_of_number(core.suppression_reason);
