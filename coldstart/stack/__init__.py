"""Everything on one machine: servers, simulated cloud and the five services, supervised by one process."""
