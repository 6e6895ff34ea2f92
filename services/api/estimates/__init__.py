"""How long a launch is going to take."""
