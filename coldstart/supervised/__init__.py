"""Child processes that end with this one: started through a launcher, awaited, and stopped in order."""
