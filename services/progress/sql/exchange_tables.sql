-- One script: the tables are exchanged together or not at all.
DROP TABLE
    public.instances, public.timeline, public.step_durations, public.deployments, public.deployment_timeline;
ALTER TABLE rebuilding.instances SET SCHEMA public;
ALTER TABLE rebuilding.timeline SET SCHEMA public;
ALTER TABLE rebuilding.step_durations SET SCHEMA public;
ALTER TABLE rebuilding.deployments SET SCHEMA public;
ALTER TABLE rebuilding.deployment_timeline SET SCHEMA public;
INSERT INTO public.checkpoints (projection, installation, sequence, mark_sequence, mark_stored_ns)
SELECT projection, installation, sequence, mark_sequence, mark_stored_ns FROM rebuilding.checkpoints
ON CONFLICT (projection) DO UPDATE
SET installation = excluded.installation,
    sequence = excluded.sequence,
    mark_sequence = excluded.mark_sequence,
    mark_stored_ns = excluded.mark_stored_ns,
    updated_at = now();
