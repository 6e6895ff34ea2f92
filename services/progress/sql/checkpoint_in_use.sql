SELECT installation, sequence FROM public.checkpoints WHERE projection = $1;
