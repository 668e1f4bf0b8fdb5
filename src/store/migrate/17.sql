-- Version 17. Lines of the audit log that stand for more than one refusal.
ALTER TABLE audit ADD COLUMN count INTEGER;
