"""The deployments as the api knows them: in memory, and in the read model."""
