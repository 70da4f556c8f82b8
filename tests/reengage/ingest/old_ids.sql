-- A warehouse from before ids had one spelling: K1 has bought as A3@X.com, K2's account went through
-- pandas, P1 and P2 are two people of one address, and an order and a consent were told twice.
INSERT INTO raw.load (source, entity, as_of, status, started_at)
SELECT said.source, said.entity, said.as_of, 'loaded', said.as_of + 1
FROM (
    VALUES
    ('crm', 'contact', date '2026-05-18'),
    ('shop', 'interaction', date '2026-05-18'),
    ('shop', 'interaction', date '2026-05-19'),
    ('consents', 'consent', date '2026-05-19')
) AS said (source, entity, as_of);

INSERT INTO core.derived_from (name, value) VALUES ('signals', 'loyalty,purchase');

INSERT INTO raw.contact (
    load_id, file_id, line, source, record_key, record_hash, status, record, source_contact_id,
    phone, phone_hash, shop_account_id
)
SELECT 1, 1, card.n, 'crm', card.id, '', 'loaded', '{}', card.id, card.phone, card.phone, card.shop
FROM (
    VALUES
    (2, 'K1', '+12125550101', 'a3@x.com'),
    (3, 'K2', '+12125550102', '17850'),
    (4, 'P1', '+12125550103', 'dup@x.com'),
    (5, 'P2', '+12125550104', 'Dup@X.com')
) AS card (n, id, phone, shop);

INSERT INTO core.contact (
    contact_id, first_source, first_source_contact_id, first_seen_on, phone_e164, phone_hash
)
VALUES
(1, 'crm', 'K1', '2026-05-18', '+12125550101', '+12125550101'),
(2, 'shop', '17850.0', '2026-05-18', NULL, NULL),
(3, 'crm', 'P1', '2026-05-18', '+12125550103', '+12125550103'),
(4, 'crm', 'P2', '2026-05-18', '+12125550104', '+12125550104'),
(5, 'shop', 'A3@X.com', '2026-05-18', NULL, NULL),
(6, 'crm', 'K2', '2026-05-18', '+12125550102', '+12125550102');

INSERT INTO core.contact_activity (contact_id, visible_on, updated_load_id)
SELECT contact_id, '2026-05-18', 1 FROM core.contact;

INSERT INTO core.contact_identity (
    contact_id, source, source_contact_id, original_contact_id, load_id
)
VALUES
(1, 'crm', 'K1', 1, 1), (1, 'shop', 'a3@x.com', 1, 1),
(2, 'shop', '17850.0', 2, 2),
(3, 'crm', 'P1', 3, 1), (3, 'shop', 'dup@x.com', 3, 1),
(4, 'crm', 'P2', 4, 1), (4, 'shop', 'Dup@X.com', 4, 1),
(5, 'shop', 'A3@X.com', 5, 2),
(6, 'crm', 'K2', 6, 1), (6, 'shop', '17850', 6, 1);

INSERT INTO raw.interaction (
    load_id, file_id, line, source, record_key, record_hash, dated_on, status, record,
    contact_source, source_contact_id, kind, occurred_at, amount, product_id
)
VALUES
(2, 2, 2, 'shop', '1001.0', '', '2026-05-17', 'loaded', '{}', 'shop', 'a3@x.com', 'purchase', '2026-05-17', 5, '12.0'),
(2, 2, 3, 'shop', '1002', '', '2026-05-18', 'loaded', '{}', 'shop', '17850.0', 'purchase', '2026-05-18', 7, NULL),
(3, 3, 2, 'shop', '1001', '', '2026-05-19', 'loaded', '{}', 'shop', 'A3@X.com', 'purchase', '2026-05-19', 6, '12.0');

INSERT INTO core.interaction (
    contact_id, source, source_event_id, kind, occurred_at, occurred_on, amount, product_id,
    loaded_at, load_id
)
VALUES
(1, 'shop', '1001.0', 'purchase', '2026-05-17', '2026-05-17', 5, '12.0', '2026-05-19', 2),
(2, 'shop', '1002', 'purchase', '2026-05-18', '2026-05-18', 7, NULL, '2026-05-19', 2),
(5, 'shop', '1001', 'purchase', '2026-05-19', '2026-05-19', 6, '12.0', '2026-05-20', 3);

INSERT INTO raw.product (
    load_id, file_id, line, source, record_key, record_hash, status, record, source_product_id, name
)
VALUES
(1, 9, 2, 'shop', '12', '', 'loaded', '{}', '12', 'Cup'),
(3, 9, 3, 'shop', '12.0', '', 'loaded', '{}', '12.0', 'Mug');

INSERT INTO core.product (source, source_product_id, name, is_available, load_id)
VALUES ('shop', '12', 'Cup', TRUE, 1), ('shop', '12.0', 'Mug', TRUE, 3);

INSERT INTO raw.consent (
    load_id, file_id, line, source, record_key, record_hash, dated_on, status, record,
    contact_source, source_contact_id, channel, purpose, granted_at, withdrawn_at
)
VALUES
(3, 4, 2, 'consents', 'shop/A3@X.com/sms/marketing/T', '', '2025-06-01', 'loaded', '{}', 'shop', 'A3@X.com', 'sms', 'marketing', '2025-06-01', '2026-05-01'),
(4, 4, 3, 'consents', 'shop/a3@x.com/sms/marketing/T', '', '2025-06-01', 'loaded', '{}', 'shop', 'a3@x.com', 'sms', 'marketing', '2025-06-01', NULL),
(4, 4, 4, 'consents', 'shop/17850.0/sms/marketing/T', '', '2025-06-01', 'loaded', '{}', 'shop', '17850.0', 'sms', 'marketing', '2025-06-01', NULL);

INSERT INTO core.consent (
    contact_id, source, record_key, channel, purpose, granted_at, withdrawn_at, effective_at, load_id
)
SELECT identity.contact_id, row.source, row.record_key, row.channel, row.purpose, row.granted_at,
    row.withdrawn_at, row.granted_at, row.load_id
FROM raw.consent AS row
INNER JOIN core.contact_identity AS identity
    ON row.contact_source = identity.source AND row.source_contact_id = identity.source_contact_id
ORDER BY row.load_id;

INSERT INTO cohort.episode (contact_id, dormant_since, arm, opened_on)
VALUES (5, '2026-03-01', 'control', '2026-04-01');

INSERT INTO outbox.message (
    contact_id, message_id, dormant_since, step, channel, as_of, phone_hash, encoding, segments,
    not_before, not_after, status, status_at
)
VALUES (
    5, '00000000-0000-4000-8000-000000000001', '2026-03-01', 'survey', 'sms', '2026-04-01', '',
    'GSM-7', 1, '2026-04-02', '2026-04-03', 'delivered', '2026-04-02'
);

INSERT INTO outbox.coupon (code, message_id, contact_id, kind, value, expires_at, order_ref)
VALUES ('C1', '00000000-0000-4000-8000-000000000001', 5, 'percent', 15, '2026-06-01', 'shop:1001.0');
