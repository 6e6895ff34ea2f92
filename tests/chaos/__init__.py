"""`make chaos`: launches and inferences on a cluster, while its parts are killed, stalled and cut off."""
