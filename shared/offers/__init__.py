"""What each provider offers, and whether it is usable: written by the provisioner, read by the api."""
