-- Version 20. If there are too many invitations, the oldest is removed. Invitations from before
-- this count as older than all others.
ALTER TABLE invite ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
DROP INDEX invite_of_session;
CREATE INDEX invite_of_session ON invite (session_id, silenced, since);
CREATE INDEX invite_to_channel ON invite (channel_id, silenced, since);
