-- Version 6. Texts are stored as they are and no longer as JSON, whose escapes took up to six
-- times the room.
UPDATE event SET params = coalesce(
    (SELECT group_concat(value || char(13), '' ORDER BY key) FROM json_each(event.params)), '');
UPDATE label SET answer =
    coalesce((SELECT group_concat(value, ' ' ORDER BY key) FROM json_each(label.answer, '$.ids')), '') || char(13)
    || coalesce((SELECT group_concat(
        reply.value ->> '$.command' || char(13) || json_array_length(reply.value, '$.params') || char(13)
        || coalesce((SELECT group_concat(value || char(13), '' ORDER BY key)
                     FROM json_each(reply.value, '$.params')), ''),
        '' ORDER BY reply.key) FROM json_each(label.answer, '$.replies') AS reply), '');
