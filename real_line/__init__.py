"""`make real`: launches on real OpenSSH, systemd, apt, Docker and vLLM, on a machine without a GPU."""
