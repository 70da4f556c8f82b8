-- The staging table of an uploaded file of codes. Gone with the transaction, so running it twice is
-- safe.
CREATE TEMPORARY TABLE uploaded_code (
    line bigint,
    code text
) ON COMMIT DROP;
