"""Makes the tables of vLLM's options and models from its versions."""
