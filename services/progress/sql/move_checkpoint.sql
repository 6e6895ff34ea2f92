-- Moves the checkpoint forwards only. For another installation it moves nothing and returns no row.
INSERT INTO checkpoints AS held (projection, installation, sequence)
VALUES ($1, $2, $3)
ON CONFLICT (projection) DO UPDATE
SET sequence = greatest(held.sequence, excluded.sequence), updated_at = now()
WHERE held.installation = excluded.installation
RETURNING sequence;
