-- Version 26. Which words a message may contain, and indexes that count unread messages without
-- reading them.
ALTER TABLE event ADD COLUMN words INTEGER;
DROP INDEX event_exchange;
CREATE INDEX event_exchange ON event (sender, recipient, id, words) WHERE recipient IS NOT NULL;
DROP INDEX event_said;
CREATE INDEX event_said ON event (channel, id, sender, others, words) WHERE channel IS NOT NULL;
