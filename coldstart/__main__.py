"""`python -m coldstart`."""

from coldstart.cli import app

app()
