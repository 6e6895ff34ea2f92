"""A service as the stack starts one, whose behaviour a test chooses: python -m tests.coldstart.one_service."""

import os
import signal
import socket
import sys


def main(behaviour: str) -> None:
    if behaviour == "fails":
        sys.exit("there is no way to go on")
    if behaviour == "refuses":
        sys.stderr.write("COLDSTART_X takes a whole number.\n")
        sys.exit(2)
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as readiness:
        if behaviour == "waits":
            told = b"EXTEND_TIMEOUT_USEC=3600000000\nSTATUS=waiting for a word"
            readiness.sendto(told, os.environ["NOTIFY_SOCKET"])
            with open(os.environ["WORD"], "rb") as word:  # noqa: PTH123 (a FIFO: opened once somebody writes)
                word.read()
        if behaviour != "silent":
            readiness.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    while True:
        signal.pause()


if __name__ == "__main__":
    main(os.environ["BEHAVIOUR"])
