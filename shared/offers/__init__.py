"""What a provider offers, and whether it can be used: told by the provisioner, read by the api."""
