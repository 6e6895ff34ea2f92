"""What people look at: pages made here, and scripts of our own that keep them up to date from the event stream."""
