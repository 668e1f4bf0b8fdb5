-- Version 24. The times when channels were +H.
CREATE TABLE channel_history (
    channel_id INTEGER NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    since      INTEGER NOT NULL,
    until      INTEGER,
    PRIMARY KEY (channel_id, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX channel_history_closed ON channel_history (until) WHERE until IS NOT NULL;
