INSERT INTO webhook_checkpoint AS held (installation, sequence, mark_sequence, mark_stored_ns)
VALUES ($1, $2, $3, $4)
ON CONFLICT (singleton) DO UPDATE
SET installation = excluded.installation,
    sequence = excluded.sequence,
    mark_sequence = excluded.mark_sequence,
    mark_stored_ns = excluded.mark_stored_ns;
