-- Version 22. The times of events never decrease, whatever the clock does. How old an event is
-- follows the clock.
CREATE TABLE log (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    time INTEGER NOT NULL
) STRICT;
INSERT INTO log (one, time) SELECT 1, coalesce(max(time), 0) FROM event;
ALTER TABLE event ADD COLUMN clock INTEGER;
