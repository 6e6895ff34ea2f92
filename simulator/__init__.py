"""A Scaleway-compatible cloud, its machines and a small Hugging Face hub, all on loopback."""
