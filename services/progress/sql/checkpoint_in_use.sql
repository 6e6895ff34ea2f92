SELECT installation, sequence, mark_sequence, mark_stored_ns FROM public.checkpoints WHERE projection = $1;
