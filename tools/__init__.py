"""Programs for those who work on this project. No service imports them, and no package carries them."""
