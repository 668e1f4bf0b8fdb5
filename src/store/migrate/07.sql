-- Version 7. Apps are registered for flows. Apps from before this keep every flow.
ALTER TABLE app ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
UPDATE app SET device = 1 WHERE session_id IS NULL;
