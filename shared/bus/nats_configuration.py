"""nats-server's configuration, written from `shared.bus.accounts`: one file for each account, on its own server.

`python -m` this prints docs/nats.conf, with `followers` docs/nats-followers.conf.
"""

import json
import sys
from collections.abc import Callable, Iterable
from string import Template
from typing import Final

from shared.bus.accounts import Account, User, followers, services

_HEAD: Final = """\
# nats-server's configuration for Coldstart, drawn from the code: make docs
# It takes every password from a variable of its environment. A password begins with a letter: nats-server reads a word
# of digits as a number.
"""
_JETSTREAM: Final = Template("""\
jetstream {
    store_dir: $store
    sync_interval: always  # a publish is answered once it is on disk
    max_memory_store: 64MB
}
""")
_USER: Final = Template("""\
            {
                user: $name
                password: $password
                permissions {
                    publish { allow: [$publish]$denied }
                    subscribe { allow: [$subscribe] }
                }
            }
""")


def configuration(
    account: Account, password_of: Callable[[str], str], store: str, *, system: Account | None = None
) -> str:
    """`password_of` a user and `store` are values in the configuration's syntax, quoted if necessary.

    `system` is for questions about the server itself. Without it, nobody can ask them.
    """
    pending = f"max_pending: {account.limits.pending}\n" if account.limits else ""
    named = f"system_account: {system.name}\n" if system else ""
    accounts = _account(account, password_of, _limits(account)) + (_account(system, password_of) if system else "")
    return f"{pending}{named}{_JETSTREAM.substitute(store=store)}accounts {{\n{accounts}}}\n"


def variable(user: str) -> str:
    """The variable in the server's environment that holds this user's password."""
    return f"NATS_{user.upper()}_PASSWORD"


def page(account: Account) -> str:
    return _HEAD + configuration(account, lambda user: f"${variable(user)}", '"/data"')


def quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # nats-server knows no \\u escapes


def _account(account: Account, password_of: Callable[[str], str], limits: str | None = None) -> str:
    """`limits` None: without JetStream."""
    users = "".join(_user(user, password_of(user.name)) for user in account.users)
    limited = f"        {limits}\n" if limits else ""
    return f"    {account.name} {{\n{limited}        users: [\n{users}        ]\n    }}\n"


def _limits(account: Account) -> str:
    limits = account.limits
    if limits is None:
        return "jetstream: enabled"
    return (
        f"jetstream {{ max_mem: {limits.memory}, max_file: {limits.disk}, "
        f"max_streams: {limits.streams}, max_consumers: {limits.consumers} }}\n"
        f"        limits {{ max_conn: {limits.connections}, max_subs: {limits.subscriptions} }}"
    )


def _user(user: User, password: str) -> str:
    denied = f", deny: [{_subjects(user.denied)}]" if user.denied else ""
    return _USER.substitute(
        name=user.name,
        password=password,
        publish=_subjects(user.publish),
        denied=denied,
        subscribe=_subjects(user.subscribe),
    )


def _subjects(subjects: Iterable[str]) -> str:
    return "".join(f"\n                        {quoted(subject)}" for subject in dict.fromkeys(subjects))


if __name__ == "__main__":
    sys.stdout.write(page(followers() if sys.argv[1:] == ["followers"] else services()))
