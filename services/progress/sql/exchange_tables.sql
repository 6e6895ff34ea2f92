-- One script: the tables are exchanged together or not at all.
DROP TABLE public.instances, public.timeline, public.step_durations;
ALTER TABLE rebuilding.instances SET SCHEMA public;
ALTER TABLE rebuilding.timeline SET SCHEMA public;
ALTER TABLE rebuilding.step_durations SET SCHEMA public;
INSERT INTO public.checkpoints (projection, installation, sequence)
SELECT projection, installation, sequence FROM rebuilding.checkpoints
ON CONFLICT (projection) DO UPDATE
SET installation = excluded.installation, sequence = excluded.sequence, updated_at = now();
