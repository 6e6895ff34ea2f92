"""The HTTP/1.1 server in front: bounded in size and time before anybody is known. `serving` runs it."""
