-- Version 18. A refresh token can be exchanged for the same pair again until a token of that pair
-- was presented. Refresh tokens that were exchanged before this cannot.
ALTER TABLE token ADD COLUMN parent BLOB;
ALTER TABLE token ADD COLUMN derived_by TEXT;
ALTER TABLE token ADD COLUMN settled_at INTEGER;
UPDATE token SET settled_at = superseded_at WHERE superseded_at IS NOT NULL;
