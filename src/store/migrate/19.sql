-- Version 19. A mask holds a session when it is set, so masks are not looked up by nick any more.
DROP INDEX ban_of_nick;
ALTER TABLE ban DROP COLUMN nick;
DROP INDEX silence_of_nick;
ALTER TABLE silence DROP COLUMN nick;
