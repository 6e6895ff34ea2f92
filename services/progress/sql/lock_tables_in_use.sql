LOCK TABLE
    public.instances, public.timeline, public.step_durations, public.deployments, public.deployment_timeline
IN ACCESS EXCLUSIVE MODE;
