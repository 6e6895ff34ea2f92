"""What each action does to the world. All are safe when done twice, at once, by two."""
