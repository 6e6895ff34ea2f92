"""Numbers that limits and breakers are kept in: of this process alone, or of all processes that serve one port."""
