-- Version 8. An index of a channel's messages among its other events, and for each message the
-- last one of another session.
ALTER TABLE event ADD COLUMN channel INTEGER;
ALTER TABLE event ADD COLUMN others INTEGER;
UPDATE event SET (sender, channel) = (client.session_id, said.channel)
    FROM client, (SELECT event.id, channel.id AS channel FROM event, json_each(targets) AS target, channel
                  WHERE command IN ('PRIVMSG', 'NOTICE') AND recipient IS NULL AND channel.id = target.value) AS said
    WHERE said.id = event.id AND client.id = event.client_id;
CREATE INDEX event_said ON event (channel, id) WHERE channel IS NOT NULL;
UPDATE event SET others = found.others
    FROM (SELECT id, coalesce(max(iif(sender != sender_before, before, NULL))
                              OVER (PARTITION BY channel ORDER BY id), 0) AS others
          FROM (SELECT id, channel, sender, lag(id) OVER said AS before, lag(sender) OVER said AS sender_before
                FROM event WHERE channel IS NOT NULL WINDOW said AS (PARTITION BY channel ORDER BY id))) AS found
    WHERE found.id = event.id;
