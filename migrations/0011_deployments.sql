-- Why: the deployments are read from tables, too, which the progress service computes from the same events. A rebuild
-- makes them anew, except `deployment_load`: what was heard from the apis is in no event, and belongs to the scaler.

-- Each deployment after its latest event; snapshot is the whole of it, the rest is for finding it.
CREATE TABLE deployments (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version >= 1),
    sequence bigint NOT NULL,
    organization_id uuid,
    name text NOT NULL,
    model text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'deleted')),
    wanted integer NOT NULL CHECK (wanted >= 0),
    revision integer NOT NULL CHECK (revision >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    snapshot jsonb NOT NULL
);

COMMENT ON COLUMN deployments.version IS 'Counts the deployment''s events from 1';
COMMENT ON COLUMN deployments.sequence IS 'Of the latest event, in the stream LIFECYCLE';
COMMENT ON COLUMN deployments.wanted IS 'So many replicas are to serve';

CREATE INDEX ON deployments (created_at, id);
CREATE INDEX ON deployments (organization_id, created_at, id);

-- Every event; status, wanted and revision are those of the deployment after it.
CREATE TABLE deployment_timeline (
    deployment_id uuid NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    sequence bigint NOT NULL,
    type text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'paused', 'deleted')),
    wanted integer NOT NULL CHECK (wanted >= 0),
    revision integer NOT NULL CHECK (revision >= 1),
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (deployment_id, version)
);

COMMENT ON COLUMN deployment_timeline.occurred_at IS 'By the clock of whoever decided it';
COMMENT ON COLUMN deployment_timeline.recorded_at IS 'By the clock of the stream';
COMMENT ON COLUMN deployment_timeline.data IS 'The fields of the event, without deployment_id and occurred_at';

-- The load of a slot of five minutes: requests in flight and held, and what was made of them.
CREATE TABLE deployment_load (
    deployment_id uuid NOT NULL,
    at timestamptz NOT NULL,
    mean double precision NOT NULL CHECK (mean >= 0),
    peak double precision NOT NULL CHECK (peak >= 0),
    in_flight double precision NOT NULL DEFAULT 0 CHECK (in_flight >= 0),
    held double precision NOT NULL DEFAULT 0 CHECK (held >= 0),
    refused_per_s double precision NOT NULL DEFAULT 0 CHECK (refused_per_s >= 0),
    arriving_per_s double precision NOT NULL DEFAULT 0 CHECK (arriving_per_s >= 0),
    ready double precision NOT NULL DEFAULT 0 CHECK (ready >= 0),
    PRIMARY KEY (deployment_id, at)
);

CREATE INDEX ON deployment_load (at);

COMMENT ON COLUMN deployment_load.at IS 'When the slot began';
COMMENT ON COLUMN deployment_load.mean IS 'Of the requests in flight and held together';
COMMENT ON COLUMN deployment_load.peak IS 'Of the requests in flight and held together';
COMMENT ON COLUMN deployment_load.in_flight IS 'The mean, as those below';
COMMENT ON COLUMN deployment_load.ready IS 'Replicas';
