"""A deployment: an endpoint that stays. Pure, as the lifecycle of an instance is."""
