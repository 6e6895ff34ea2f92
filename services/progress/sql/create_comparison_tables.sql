CREATE SCHEMA rebuilding
    CREATE UNLOGGED TABLE instances (LIKE public.instances INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (id))
    CREATE UNLOGGED TABLE timeline (
        LIKE public.timeline INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (instance_id, version)
    )
    CREATE UNLOGGED TABLE step_durations (
        LIKE public.step_durations INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (instance_id, attempt, step)
    )
    CREATE UNLOGGED TABLE deployments (LIKE public.deployments INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (id))
    CREATE UNLOGGED TABLE deployment_timeline (
        LIKE public.deployment_timeline INCLUDING ALL EXCLUDING INDEXES, PRIMARY KEY (deployment_id, version)
    )
    CREATE UNLOGGED TABLE checkpoints (LIKE public.checkpoints INCLUDING ALL);
