-- Never backwards, and not at all for another installation: then no row comes back.
INSERT INTO checkpoints AS held (projection, installation, sequence)
VALUES ($1, $2, $3)
ON CONFLICT (projection) DO UPDATE
SET sequence = greatest(held.sequence, excluded.sequence), updated_at = now()
WHERE held.installation = excluded.installation
RETURNING sequence;
