-- Version 16. Which authorization code a token descends from, and which single tokens have ended.
-- A code that comes back ends the tokens that it issued, and the grant only if it created the
-- grant.
ALTER TABLE token ADD COLUMN code_hash BLOB;
CREATE INDEX token_of_code ON token (code_hash) WHERE code_hash IS NOT NULL;
ALTER TABLE authorization_code ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grant_end ADD COLUMN jti TEXT;
