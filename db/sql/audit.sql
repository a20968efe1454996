-- The audit trail.

-- insert_entry --
-- Appends an entry, in the transaction of the change that it describes.
INSERT INTO audit_entries (caller, action, batch_id, detail)
VALUES (%(caller)s, %(action)s, %(batch_id)s, %(detail)s)

-- list_entries --
-- One row per entry since a time, or of all, newest first. Uses audit_entries_pkey, with a time audit_entries_at_idx.
SELECT id, at, caller, action, batch_id, detail
FROM audit_entries
WHERE %(since)s::timestamptz IS NULL OR at >= %(since)s
ORDER BY id DESC
LIMIT %(limit)s
