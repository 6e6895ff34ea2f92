"""Child processes that end with this process: started by a launcher, awaited, and stopped in order."""
