"""`coldstart top`: the whole fleet on one screen."""

from uuid import UUID

from rich.live import Live

from coldstart.commands.context import Json, api, out, print_json
from coldstart.figures import Figures
from coldstart.fleet import Fleet
from coldstart.fleet_picture import FleetPicture


def top(as_json: Json = False) -> None:
    """Show the whole fleet on one screen, live until Ctrl-C. In a pipe, or with --json, show it once.

    The JSON has the fields of 'instances list', and in_flight, requests_today and tokens_today.
    """
    with api() as client:
        position, fleet = client.position(), Fleet()
        figures = Figures(client, fleet)
        rows = figures.look()
        if as_json:
            print_json([{**row, **figures.of(UUID(row["id"]))} for row in rows])
            return
        picture = FleetPicture(fleet, figures, lambda: client.away)
        if not out.is_terminal:
            out.print(picture, highlight=False)
            return
        with figures, Live(picture, console=out, screen=True, refresh_per_second=4):
            for event in client.stream("/events", after=position):
                fleet.take(event)
