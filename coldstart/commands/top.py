"""`coldstart top`: the whole fleet on one screen."""

from datetime import UTC, datetime

from rich.live import Live

from coldstart.commands.context import api, out
from coldstart.figures import Figures
from coldstart.fleet import Fleet
from coldstart.fleet_picture import FleetPicture


def top() -> None:
    """Show the whole fleet on one screen as it changes, until Ctrl-C; where the output is no terminal, as it is now."""
    with api() as client:
        position, fleet = client.position(), Fleet()
        figures = Figures(client, fleet)
        figures.look()
        picture = FleetPicture(fleet, figures, lambda: client.away)
        if not out.is_terminal:
            out.print(picture, highlight=False)
            return
        with figures, Live(picture, console=out, screen=True, refresh_per_second=4):
            for told in client.told("/events", after=position):
                fleet.take(told, datetime.now(UTC))
