"""Everything on one machine: servers, simulated cloud and the six services, supervised by one process."""
