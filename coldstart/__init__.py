"""Coldstart on one machine: the command line, the embedded servers and the stack that joins them."""
