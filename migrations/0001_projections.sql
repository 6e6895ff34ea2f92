-- Why: what people ask about instances (where is it, since when, what happened, how long does a step take) is
-- answered from tables, computed by the progress service alone from the events of the journal.
--
-- A rebuild makes these tables anew (LIKE … INCLUDING ALL). So indexes have no names of their own here, for which
-- PostgreSQL then chooses the same ones again, and only columns have comments in the database.

-- Each instance after its latest event; snapshot is the whole of it, the rest is for finding it.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    sequence bigint NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    model text NOT NULL,
    provider text NOT NULL,
    zone text,
    instance_type text,
    status text NOT NULL CHECK (
        status IN (
            'provisioning', 'booting', 'installing', 'starting', 'ready', 'unavailable',
            'draining', 'terminating', 'terminated', 'archived',
            'provisioning_failed', 'startup_failed', 'failed'
        )
    ),
    progress_percent smallint NOT NULL CHECK (progress_percent BETWEEN 0 AND 100),
    step text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ready_at timestamptz,
    ended_at timestamptz,
    snapshot jsonb NOT NULL
);

COMMENT ON COLUMN instances.version IS 'Counts the instance''s events from 1';
COMMENT ON COLUMN instances.sequence IS 'Of the latest event, in the stream LIFECYCLE';

-- Lists are read newest first, page after page, each page beginning after the (created_at, id) that ended the last.
CREATE INDEX ON instances (created_at, id);
CREATE INDEX ON instances (status, created_at, id);
CREATE INDEX ON instances (model, created_at, id);
CREATE INDEX ON instances (organization_id, created_at, id);

-- Every event; status, progress_percent, step and attempt are those of the instance after it.
CREATE TABLE timeline (
    instance_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    sequence bigint NOT NULL,
    type text NOT NULL,
    status text NOT NULL CHECK (
        status IN (
            'provisioning', 'booting', 'installing', 'starting', 'ready', 'unavailable',
            'draining', 'terminating', 'terminated', 'archived',
            'provisioning_failed', 'startup_failed', 'failed'
        )
    ),
    progress_percent smallint NOT NULL CHECK (progress_percent BETWEEN 0 AND 100),
    step text NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (instance_id, version)
);

COMMENT ON COLUMN timeline.occurred_at IS 'By the clock of whoever saw it';
COMMENT ON COLUMN timeline.recorded_at IS 'By the clock of the stream';
COMMENT ON COLUMN timeline.data IS 'The fields of the event, without instance_id and occurred_at';

-- How long each attempt was at each step, by the clock of the stream.
CREATE TABLE step_durations (
    instance_id uuid NOT NULL,
    attempt integer NOT NULL CHECK (attempt >= 1),
    step text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz CHECK (ended_at >= began_at),
    PRIMARY KEY (instance_id, attempt, step)
);

COMMENT ON COLUMN step_durations.ended_at IS 'When the next step, the next attempt or the instance''s ending began';

-- Up to where in whose stream a projection has got, written with what it projected.
CREATE TABLE checkpoints (
    projection text PRIMARY KEY,
    installation uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);
