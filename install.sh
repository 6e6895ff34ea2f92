#!/bin/sh
# Make .venv and install into it: `sh install.sh PYTHON build|run|dev`. Whatever is missing is one sentence, and status 1.
set -u
python=$1 what=$2 bin=.venv/bin log=.venv/install.log

fail() { printf '%s\n' "$@" >&2; exit 1; }

checked() {
    command -v "$python" >/dev/null 2>&1 ||
        fail "There is no $python: install Python 3.11 or later, or name one: make PYTHON=/path/to/python3."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version 2>&1) is too old, 3.11 or later is needed: name another: make PYTHON=python3.12."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments: install its venv module (on Debian: apt-get install python3-venv)."
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    test "$free" -ge 1000000 || fail "Only $((free / 1000)) MB are free here, and 1000 MB are needed: make room."
}

# The words that follow, with what they print kept; of a failure its last line is shown.
step() {
    "$@" >"$log" 2>&1 && return
    fail "Nothing could be installed: $(grep . "$log" | grep -vi warning | tail -n 1)" \
        "If that is about the network, look at PIP_INDEX_URL, UV_INDEX_URL and your proxy; all of it is in $log."
}

say() { printf '%s …\n' "$*" >&2; }

case $what in
build)
    checked
    say "making .venv"
    test -x "$bin/pip" || rm -rf .venv  # a venv that was begun and never finished
    test -x "$bin/python" || "$python" -m venv .venv || fail "The virtual environment .venv could not be made."
    step "$bin/python" -m pip install --disable-pip-version-check --retries 2 --require-hashes -r requirements-build.lock
    ;;
run)
    say "installing into .venv what the stack needs: up to a minute, and only this time"
    step "$bin/uv" pip install --python "$bin/python" --compile-bytecode --require-hashes -r requirements.lock
    step "$bin/uv" pip install --python "$bin/python" --no-deps --no-build-isolation --editable .
    ;;
dev)
    say "installing into .venv what the tests need"
    step "$bin/uv" pip install --python "$bin/python" --compile-bytecode --require-hashes -r requirements-dev.lock
    ;;
esac
