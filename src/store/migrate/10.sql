-- Version 10. Events that nobody can read any more are removed early; ended sessions have no
-- stays.
CREATE TABLE sweep (
    target_id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO sweep (target_id)
    SELECT id FROM session WHERE ended_at IS NOT NULL
    UNION SELECT channel_id FROM membership JOIN session ON session.id = session_id
        WHERE session.ended_at IS NOT NULL;
DELETE FROM membership WHERE session_id IN (SELECT id FROM session WHERE ended_at IS NOT NULL);
DROP INDEX membership_by_channel;
CREATE INDEX membership_by_channel ON membership (channel_id, since);
