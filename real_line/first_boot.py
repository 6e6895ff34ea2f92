"""A machine's first minutes: cloud-init still runs, and dpkg and apt-get hold the locks that the install needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from real_line.line import Launch, Wrong
from real_line.machine import Machine
from real_line.waiting import until

_CLOUD_INIT_S: Final = 60
_DPKG_S: Final = 300
_LISTS_S: Final = 20
"""Longer than dpkg."""
_REASONS: Final = (
    "waits for cloud-init, which still sets the machine up",
    "waits for the package manager's lock, which dpkg holds",
    "waits for the package manager's lock, which apt-get holds",
)
_LOCKS: Final = ("/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock")
_FOLDER: Final = "/run/first-boot"
_MIRROR_PORT: Final = 8079

_WITHOUT_DOCKER: Final = "! command -v docker >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get remove -y docker.io"
_CLOUD_INIT: Final = f"""
seed=/var/lib/cloud/seed/nocloud
mkdir -p "$seed"
echo "instance-id: first-boot" >"$seed/meta-data"
printf '#!/bin/sh\\nsleep {_CLOUD_INIT_S}\\n' >"$seed/user-data"
cat >/etc/cloud/cloud.cfg.d/99-first-boot.cfg <<END
datasource_list: [NoCloud]
network: {{config: disabled}}
cloud_init_modules: []
cloud_config_modules: []
cloud_final_modules: [scripts-user]
END
rm /etc/cloud/cloud-init.disabled
systemctl daemon-reload
systemctl start --no-block cloud-init.target
"""
"""Its user-data is a script. Of its modules only the one that runs it is on: the network and SSH stay as they are."""
_DPKG: Final = f"""
mkdir -p {_FOLDER}/package/DEBIAN
cd {_FOLDER}
cat >package/DEBIAN/control <<END
Package: first-boot
Version: 1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: takes minutes to configure
END
printf '#!/bin/sh\\nsleep {_DPKG_S}\\n' >package/DEBIAN/postinst
chmod 755 package/DEBIAN/postinst
dpkg-deb --build package package.deb
systemd-run --quiet --unit=first-boot-dpkg dpkg --install {_FOLDER}/package.deb
"""
_LISTS: Final = f"""
silent='import socket, time; server = socket.create_server(("127.0.0.1", {_MIRROR_PORT})); time.sleep(3600)'
systemd-run --quiet --unit=first-boot-mirror python3 -c "$silent"
echo "deb [trusted=yes] http://127.0.0.1:{_MIRROR_PORT} ./" >{_FOLDER}/sources.list
cat >{_FOLDER}/lists.sh <<END
apt-get update -o Dir::Etc::sourcelist={_FOLDER}/sources.list -o Dir::Etc::sourceparts=/dev/null \
  -o APT::Get::List-Cleanup=0 -o Acquire::http::Timeout=3600 &
while systemctl --quiet is-active first-boot-dpkg; do sleep 1; done
sleep {_LISTS_S}
kill \\$!
END
systemd-run --quiet --unit=first-boot-lists bash {_FOLDER}/lists.sh
"""
"""Its mirror accepts the connection, and never answers."""
_OVER: Final = f"""
systemctl stop first-boot-dpkg first-boot-lists first-boot-mirror cloud-final 2>/dev/null || true
touch /etc/cloud/cloud-init.disabled
rm -rf {_FOLDER} /var/lib/cloud/seed/nocloud /etc/cloud/cloud.cfg.d/99-first-boot.cfg
dpkg --purge --force-remove-reinstreq first-boot
"""


@contextmanager
def first_boot(machine: Machine) -> Iterator[None]:
    """Puts the machine, without Docker, into its first minutes; puts things in order with the end of the block."""
    machine.shell(_WITHOUT_DOCKER)
    try:
        for script in (_CLOUD_INIT, _DPKG, _LISTS):
            machine.shell(script)
        until(lambda: _is_busy(machine), "cloud-init runs, and both locks are held", 60)
        yield
    finally:
        machine.shell(_OVER)


def waited_out(launch: Launch) -> str:
    """The timeline names everything that was waited for, in its order, and no try of the install has failed."""
    rows = launch.timeline()
    waits = waits_in(rows)
    moments = [datetime.fromisoformat(row["occurred_at"]) for row in rows if row["type"] == "ActionResumed"]
    seconds = (moments[-1] - datetime.fromisoformat(rows[0]["occurred_at"])).total_seconds() if moments else 0
    failed = [row["data"]["reason"] for row in rows if row["type"] == "SshInstallFailed"]
    if tuple(reason for reason, _ in waits) != _REASONS or failed or seconds < _DPKG_S:
        raise Wrong(f"{waits}, over after {seconds:.0f} s, failures {failed}")
    shown = "; ".join(f"{reason}: {lasted:.0f} s" for reason, lasted in waits)
    return f"{shown}; over {seconds:.0f} s after the request"


def waits_in(rows: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Of a timeline, oldest first: what the install has waited for, and for how many seconds."""
    waits = []
    reason, began = "", None
    for row in rows:
        moment = datetime.fromisoformat(row["occurred_at"])
        if row["type"] == "ActionDelayed" and row["data"]["code"] == "waiting":
            reason, began = row["data"]["reason"], moment
        elif row["type"] == "ActionResumed" and began is not None:
            waits.append((reason, (moment - began).total_seconds()))
            began = None
    return waits


def _is_busy(machine: Machine) -> bool:
    held = machine("lslocks", "--noheadings", "--raw", "--output", "PATH").split()
    return set(_LOCKS) <= set(held) and "running" in machine.shell("cloud-init status || true")
