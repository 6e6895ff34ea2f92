"""When a launch will be ready: pure. Past launches and a moment in, an estimate out."""
