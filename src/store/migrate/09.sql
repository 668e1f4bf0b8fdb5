-- Version 9. Indexes of a channel's operators, voiced members and longest members; the channel of
-- a line of the audit log.
ALTER TABLE audit ADD COLUMN channel TEXT;
CREATE INDEX membership_op ON membership (channel_id) WHERE until IS NULL AND op;
CREATE INDEX membership_voice ON membership (channel_id, since) WHERE until IS NULL AND voice;
CREATE INDEX membership_by_stay ON membership (channel_id, since) WHERE until IS NULL;
