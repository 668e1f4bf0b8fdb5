-- Version 25. Where clients were last used from.
ALTER TABLE client ADD COLUMN area INTEGER;
