"""Processes of ours that end with us: started through a launcher, waited for, and stopped in order."""
