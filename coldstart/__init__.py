"""Coldstart on one machine: the command line, the embedded servers, and the stack that connects them."""
