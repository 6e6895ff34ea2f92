"""What each action does to the world. All are safe when done twice, or by two at the same time."""
