-- What stood twice in core under two spellings of one key stands once.
CREATE TEMPORARY TABLE corrected (contact_id bigint PRIMARY KEY) ON COMMIT DROP;

WITH gone AS (
    DELETE FROM core.interaction AS interaction
    USING lost_row
    WHERE
        lost_row.entity = 'interaction'
        AND interaction.contact_id = lost_row.contact_id
        AND interaction.source = lost_row.source
        AND interaction.source_event_id = lost_row.record_key
    RETURNING interaction.contact_id
)

INSERT INTO corrected (contact_id)
SELECT DISTINCT gone.contact_id FROM gone;

DELETE FROM core.product AS product
USING lost_row
WHERE
    lost_row.entity = 'product'
    AND product.source = lost_row.source
    AND product.source_product_id = lost_row.record_key;
