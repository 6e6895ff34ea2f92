CREATE SCHEMA rebuilding
    CREATE TABLE instances (LIKE public.instances INCLUDING ALL)
    CREATE TABLE timeline (LIKE public.timeline INCLUDING ALL)
    CREATE TABLE step_durations (LIKE public.step_durations INCLUDING ALL)
    CREATE TABLE deployments (LIKE public.deployments INCLUDING ALL)
    CREATE TABLE deployment_timeline (LIKE public.deployment_timeline INCLUDING ALL)
    CREATE TABLE checkpoints (LIKE public.checkpoints INCLUDING ALL);
