SELECT snapshot FROM instances WHERE status NOT IN ('terminated', 'archived')
