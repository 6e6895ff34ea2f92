-- Why: who used which model, how much of it and how fast it came is asked for every day, and billed by some. One row a
-- request, written by the api in batches.

CREATE TABLE usage (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    key_id uuid NOT NULL,
    organization_id uuid,
    model text NOT NULL,
    instance_id uuid NOT NULL,
    endpoint text NOT NULL,
    status smallint NOT NULL CHECK (status BETWEEN 100 AND 599),
    prompt_tokens integer CHECK (prompt_tokens >= 0),
    completion_tokens integer CHECK (completion_tokens >= 0),
    estimated boolean NOT NULL,
    first_byte_ms double precision CHECK (first_byte_ms >= 0),
    duration_ms double precision NOT NULL CHECK (duration_ms >= 0)
);

COMMENT ON COLUMN usage.id IS 'Made by the api, so that a batch written twice counts once';
COMMENT ON COLUMN usage.at IS 'When the request came';
COMMENT ON COLUMN usage.status IS 'As the client got it; 499 when it left before the end';
COMMENT ON COLUMN usage.prompt_tokens IS 'Null when the worker did not tell';
COMMENT ON COLUMN usage.estimated IS 'The worker did not tell, so the chunks of its stream were counted';

-- By time for administrators and for forgetting, by owner for everybody else.
CREATE INDEX ON usage (at);
CREATE INDEX ON usage (organization_id, at);
CREATE INDEX ON usage (key_id, at);
