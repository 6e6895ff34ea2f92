"""Who the caller is: keys and sessions."""
