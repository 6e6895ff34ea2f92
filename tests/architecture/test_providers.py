"""A provider is a package and one line: nothing else names one, so nothing else has to be told of a new one."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldstart.providers import names, none_of_them, providers, variables_in_words
from services.provisioner.providers.registry import PROVIDERS, configured

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "services/provisioner/providers"
NAMED_ALL_THE_SAME = {
    "shared/lifecycle/wish.py",  # which one a request means that names none
    "coldstart/commands/deploy.py",  # says so in a help text
    "coldstart/commands/instances.py",  # says so in a help text
    "coldstart/stack/simulated.py",  # what is simulated is Scaleway
}


def words(path: Path) -> Iterator[str]:
    """Every text and every imported name of a module, save its docstrings."""
    tree = ast.parse(path.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}"
            yield from (name.name for name in node.names)


def naming_a_provider() -> set[str]:
    variables = [variable for registration in PROVIDERS for variable in registration.variables]
    found = set()
    for top in ("coldstart", "services", "shared"):
        for path in (ROOT / top).rglob("*.py"):
            if path.is_relative_to(PACKAGES):
                continue
            for word in words(path):
                named = any(f"providers.{registration.name}" in word for registration in PROVIDERS)
                if named or "scaleway" in word.lower() or "SCW_" in word or any(each in word for each in variables):
                    found.add(str(path.relative_to(ROOT)))
    return found


def test_nothing_outside_its_package_and_the_registry_names_a_provider() -> None:
    assert naming_a_provider() == NAMED_ALL_THE_SAME


def test_every_package_is_registered_once_under_its_own_name() -> None:
    packages = {path.parent.name for path in PACKAGES.glob("*/__init__.py")}
    assert sorted(registration.name for registration in PROVIDERS) == sorted(packages)


def test_the_registry_has_a_line_for_each() -> None:
    listed = ast.parse((PACKAGES / "registry.py").read_text())
    assigned = next(node for node in listed.body if isinstance(node, ast.AnnAssign))
    assert isinstance(assigned.value, ast.Tuple)
    assert {ast.unparse(each) for each in assigned.value.elts} == {f"{each.name}.REGISTRATION" for each in PROVIDERS}


def test_a_provider_is_configured_by_any_of_its_variables_and_by_no_empty_one() -> None:
    for registration in PROVIDERS:
        for variable in registration.variables:
            assert configured({variable: "x"}) == (registration,)
            assert configured({variable: ""}) == ()


def test_the_command_line_knows_what_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for registration in PROVIDERS:
        for variable in registration.variables:
            monkeypatch.setenv(variable, "x")
    assert providers() == {registration.name for registration in PROVIDERS}
    assert names().startswith("Scaleway and machines in x")
    assert configured(none_of_them()) == ()
    assert variables_in_words("no ", " and ").startswith("no SCW_ variables and no COLDSTART_MACHINES")


@pytest.mark.real
def test_to_know_which_providers_there_are_loads_no_sdk() -> None:
    """Every command of `coldstart` that asks would wait for it."""
    code = "import coldstart.providers, sys; print({'scaleway', 'asyncssh'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
