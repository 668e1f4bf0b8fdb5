-- Version 11. An API key that was created through a grant ends with it. The grant of an older key
-- is that of the client that created the key.
ALTER TABLE app ADD COLUMN made_through INTEGER;
UPDATE app SET made_through = (SELECT grant_id FROM client WHERE client.id = maker) WHERE maker IS NOT NULL;
CREATE INDEX app_made_through ON app (made_through) WHERE made_through IS NOT NULL AND ended_at IS NULL;
