-- Version 14. Conversations by direct messages, also with sessions that have ended.
CREATE TABLE direct (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    other_id   INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    wrote      INTEGER NOT NULL,
    unread     INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    read       INTEGER NOT NULL,
    PRIMARY KEY (session_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX direct_in_order ON direct (session_id, wrote, unread, last);
CREATE INDEX direct_of_other ON direct (other_id);
INSERT INTO direct (session_id, other_id, wrote, unread, last, read)
    SELECT me.id, other.id, sent > 0, received > coalesce(event_id, 0), max(sent, received), coalesce(event_id, 0)
    FROM (SELECT one, another, max(sent) AS sent, max(received) AS received
          FROM (SELECT sender AS one, recipient AS another, id AS sent, 0 AS received FROM event
                WHERE recipient IS NOT NULL
                UNION ALL
                SELECT recipient, sender, 0, id FROM event WHERE recipient IS NOT NULL AND sender != recipient)
          GROUP BY one, another) AS exchange
    JOIN session AS me ON me.id = one AND me.ended_at IS NULL
    JOIN session AS other ON other.id = another
    LEFT JOIN read_mark ON read_mark.session_id = one AND target_id = another;
INSERT INTO direct (session_id, other_id, wrote, unread, last, read)
    SELECT read_mark.session_id, target_id, 0, 0, max(event_id, 1), event_id
    FROM read_mark JOIN session ON session.id = target_id AND session.ended_at IS NULL WHERE true
    ON CONFLICT DO NOTHING;
DELETE FROM read_mark WHERE target_id IN (SELECT id FROM session);
