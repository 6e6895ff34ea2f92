-- Why: who asked for what has to be found in one place, and longer than the timelines of what has ended are kept. The
-- progress service adds what is an event, as it projects it; the api adds everything else in the transaction that does
-- it. Nothing is ever changed here; entries are deleted when they are too old.

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    type text NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('key', 'session', 'service', 'stranger')),
    actor_id uuid,
    actor_name text NOT NULL,
    organization_id uuid,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    subject_name text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT keys_have_ids CHECK ((actor_kind IN ('key', 'session')) = (actor_id IS NOT NULL))
);

COMMENT ON COLUMN audit_log.id IS 'An event''s own, so that an event that is projected again is here once';
COMMENT ON COLUMN audit_log.actor_id IS 'The API key''s, also of a session; it may be gone';
COMMENT ON COLUMN audit_log.actor_name IS 'As it was then';
COMMENT ON COLUMN audit_log.organization_id IS 'Whose subject it is, and who else may read it; it may be gone';

-- By time for administrators and for forgetting, by one filter for everybody else.
CREATE INDEX ON audit_log (at, id);
CREATE INDEX ON audit_log (organization_id, at, id);
CREATE INDEX ON audit_log (actor_id, at, id);
CREATE INDEX ON audit_log (subject_id, at, id);
