"""`coldstart completion SHELL`: what a shell needs to complete commands, options and names."""

from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_shared import get_completion_script


class CompletingShell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[CompletingShell, typer.Argument(help="The shell that it is for.")]) -> None:
    """Print the completion of a shell: eval "$(coldstart completion bash)".

    It completes names of instances, deployments and models, too, by asking the API.
    """
    typer.echo(get_completion_script(prog_name="coldstart", complete_var="_COLDSTART_COMPLETE", shell=shell))
