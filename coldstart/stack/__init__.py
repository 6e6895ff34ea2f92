"""Everything on one machine: servers, simulated cloud and the four services, supervised by one process."""
