SELECT installation, sequence FROM checkpoints WHERE projection = $1
