-- Version 23. The last message that a session wrote to each of its contacts.
ALTER TABLE direct ADD COLUMN written INTEGER NOT NULL DEFAULT 0;
UPDATE direct SET written = max(
    coalesce((SELECT max(id) FROM event WHERE sender = session_id AND recipient = other_id), 0),
    coalesce((SELECT max(id) FROM event WHERE sender = session_id AND silenced_by = other_id), 0))
WHERE wrote = 1;
