LOCK TABLE public.instances, public.timeline, public.step_durations IN ACCESS EXCLUSIVE MODE;
