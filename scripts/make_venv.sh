#!/bin/sh
# make_venv.sh VENV REQUIREMENT: make VENV where there is none, and install REQUIREMENT (editable).
#
# Debian ships venv without pip until python3-venv is installed: as root that is done here; anyone
# else gets a pip that the machine already has, or is told the command.
set -eu
venv=$1 requirement=$2

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11
    do
        if fits "$candidate"; then echo "$candidate"; return; fi
    done
    echo "fourtuple needs Python 3.11 or later, and there is none: sudo apt install python3" >&2
    exit 1
}

install_venv_package() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
    echo "Installing python3-venv, which this Python lacks"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
}

with_the_machines_pip() {
    "$1" -m venv --clear --without-pip "$venv" &&
        "$1" -m pip --python "$venv/bin/python" install --quiet pip
}

make_venv() {
    "$1" -m venv --clear "$venv" >/dev/null 2>&1 && return
    install_venv_package && "$1" -m venv --clear "$venv" && return
    with_the_machines_pip "$1" 2>/dev/null && return
    rm -rf "$venv"
    echo "$1 cannot make a virtual environment with pip: sudo apt install python3-venv" >&2
    exit 1
}

if ! fits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    echo "Making $venv with $python"
    make_venv "$python"
fi
echo "Installing $requirement and what it needs into $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$requirement"
