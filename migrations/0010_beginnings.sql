-- Why: a database that begins empty beside a stream with a history has lost what only it held: keys, organisations,
-- offerings, usage. That is said until somebody restores a backup into another database, or accepts the loss.

CREATE TABLE beginnings (
    installation uuid PRIMARY KEY,
    lost_events bigint NOT NULL CHECK (lost_events >= 0),
    began_at timestamptz NOT NULL DEFAULT now(),
    accepted_at timestamptz
);

-- A database that was in use before this table has begun with its stream.
INSERT INTO beginnings (installation, lost_events) SELECT DISTINCT installation, 0 FROM checkpoints;

COMMENT ON COLUMN beginnings.lost_events IS 'The last sequence of the stream when this database was empty; 0: it was not';
