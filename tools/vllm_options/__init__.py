"""Makes the table of vLLM's options from the argument parsers of its versions."""
