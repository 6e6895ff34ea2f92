"""Decides whether a wish becomes an instance: rights, offers, fit, limits."""
