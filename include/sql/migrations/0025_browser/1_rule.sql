-- On a link that leads away at once nobody can touch a page of ours.
ALTER TYPE outbox.rule ADD VALUE 'browser' AFTER 'confirmed';  -- there, a browser that people use
