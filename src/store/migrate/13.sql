-- Version 13. Bans that hold the session whose nick they name; SILENCE.
ALTER TABLE ban ADD COLUMN nick TEXT;
ALTER TABLE ban ADD COLUMN held INTEGER;
UPDATE ban SET nick = substr(folded_mask, 1, instr(folded_mask, '!') - 1);
UPDATE ban SET nick = NULL WHERE nick = '' OR instr(nick, '*') OR instr(nick, '?');
UPDATE ban SET held = (SELECT id FROM session WHERE folded_nick = ban.nick AND ended_at IS NULL)
    WHERE folded_mask = nick || '!*@*';
CREATE INDEX ban_of_nick ON ban (nick) WHERE nick IS NOT NULL AND held IS NULL;
CREATE INDEX ban_holding ON ban (held) WHERE held IS NOT NULL;
CREATE TABLE silence (
    session_id  INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    folded_mask TEXT NOT NULL,
    mask        TEXT NOT NULL,
    nick        TEXT,
    held        INTEGER,
    PRIMARY KEY (session_id, folded_mask)
) STRICT, WITHOUT ROWID;
CREATE INDEX silence_of_nick ON silence (nick) WHERE nick IS NOT NULL AND held IS NULL;
CREATE INDEX silence_holding ON silence (held) WHERE held IS NOT NULL;
ALTER TABLE invite ADD COLUMN silenced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN silenced_by INTEGER;
CREATE INDEX event_silenced ON event (sender, silenced_by, id) WHERE silenced_by IS NOT NULL;
