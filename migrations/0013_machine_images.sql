-- Why: machine images are listed by the builds that have made them, which are few among all instances.

CREATE INDEX ON instances (created_at, id) WHERE snapshot #>> '{specification,purpose}' = 'machine_image';
