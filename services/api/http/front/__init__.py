"""The HTTP/1.1 server in front: it bounds size and time before a client is known. `serving` runs it."""
