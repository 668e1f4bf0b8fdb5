-- Version 12. Which clients' sessions were warned that the client is about to expire.
ALTER TABLE client ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
CREATE INDEX client_unwarned ON client (expires_at) WHERE ended_at IS NULL AND NOT key AND NOT warned;
