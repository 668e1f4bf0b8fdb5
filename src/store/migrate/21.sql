-- Version 21. The networks of sessions are in order, so that the sessions of a wider network are
-- found. They are written no longer as 2001:db8::/64, but as the 16 digits of the 64 bits.
UPDATE session SET network = substr(
        (SELECT group_concat(substr('0000' || value, -4), '' ORDER BY key)
         FROM json_each('["' || replace(replace(network, '::/64', ''), ':', '","') || '"]')) || '000000000000', 1, 16)
    WHERE network LIKE '%::/64';
