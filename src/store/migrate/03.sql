-- Version 3. Where sessions and clients came from; which clients have never presented their
-- secret.
ALTER TABLE session ADD COLUMN network TEXT;
CREATE INDEX session_by_network ON session (network) WHERE ended_at IS NULL;
ALTER TABLE client ADD COLUMN address TEXT;
ALTER TABLE client ADD COLUMN unpresented INTEGER;
CREATE INDEX client_unpresented ON client (unpresented) WHERE ended_at IS NULL AND unpresented IS NOT NULL;
