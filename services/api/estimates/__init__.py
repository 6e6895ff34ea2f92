"""How long a launch will take."""
