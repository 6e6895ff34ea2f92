-- Why: events are also sent to addresses that people name. What is to be sent, and what came of it, is kept here, so
-- that neither a kill nor a receiver that is away for a day loses anything.

CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    organization_id uuid REFERENCES organizations ON DELETE CASCADE,
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    description text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
    events text[],
    models text[],
    organizations uuid[],
    after_sequence bigint NOT NULL CHECK (after_sequence >= 0),
    secret_number integer NOT NULL DEFAULT 1 CHECK (secret_number >= 1),
    former_secret_until timestamptz,
    enabled boolean NOT NULL DEFAULT true,
    switched_off text CHECK (switched_off IN ('request', 'failing', 'gone')),
    switched_off_at timestamptz,
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    not_before timestamptz,
    claimed_by uuid,
    claimed_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT enabled_or_switched_off CHECK (enabled = (switched_off IS NULL))
);

COMMENT ON COLUMN webhooks.organization_id IS 'Whose events it gets, and who manages it; null: the installation';
COMMENT ON COLUMN webhooks.events IS 'Types; null: all, as of the two filters below';
COMMENT ON COLUMN webhooks.after_sequence IS 'Only later events are sent without being asked for';
COMMENT ON COLUMN webhooks.secret_number IS 'The secret is derived from it; the one before counts for a while';
COMMENT ON COLUMN webhooks.failing_since IS 'The first failed try since the last success';
COMMENT ON COLUMN webhooks.not_before IS 'After failures, nothing is tried until then';
COMMENT ON COLUMN webhooks.claimed_by IS 'The process that delivers, one at a time';

CREATE INDEX ON webhooks (created_at, id);

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('event', 'replay', 'test', 'notice')),
    message_id text NOT NULL,
    type text NOT NULL,
    sequence bigint,
    message jsonb,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'undelivered')),
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    tried_at timestamptz,
    finished_at timestamptz,
    status integer,
    reason text,
    CONSTRAINT in_the_stream_or_here CHECK ((sequence IS NULL) <> (message IS NULL))
);

COMMENT ON TABLE webhook_deliveries IS 'One message for one webhook; an event''s body is in the stream';
COMMENT ON COLUMN webhook_deliveries.created_at IS 'They are sent in the order of this and of their sequence';
COMMENT ON COLUMN webhook_deliveries.status IS 'Of the last answer; null: there was none';
COMMENT ON COLUMN webhook_deliveries.reason IS 'Why the last try failed';

CREATE INDEX ON webhook_deliveries (webhook_id, created_at, sequence) WHERE state = 'pending';
CREATE INDEX ON webhook_deliveries (webhook_id) WHERE state = 'pending' AND kind = 'test';
CREATE INDEX ON webhook_deliveries (webhook_id, next_try_at) WHERE state = 'pending';
CREATE INDEX ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX ON webhook_deliveries (finished_at) WHERE state <> 'pending';

CREATE TABLE webhook_replays (
    id uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    after_sequence bigint NOT NULL CHECK (after_sequence >= 0),
    through_sequence bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE webhook_replays IS 'What is still to be queued once more; a row goes when it is';

CREATE TABLE webhook_checkpoint (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    installation uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence >= 0),
    mark_sequence bigint,
    mark_stored_ns bigint
);

COMMENT ON TABLE webhook_checkpoint IS 'Up to which event the stream was queued for webhooks';
