#!/usr/bin/env bash
# Build IMAGE, a stand-in for airbyte/python-connector-base where that cannot be pulled: Debian's
# Python 3.13 with the same user and folders. As root on Debian, with debootstrap and a Docker engine.
set -euo pipefail
image=${1:?usage: stand_in_base.sh IMAGE}
root=$(mktemp --directory)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates,libpython3-dev,python3,python3-pip,python3-venv \
    trixie "$root" >&2
# Where this machine trusts more authorities than Debian does, pip in the image must as well.
cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
chroot "$root" useradd --system --uid 1000 --user-group --no-create-home --home-dir /nonexistent airbyte
install --directory --owner 1000 --group 1000 "$root/airbyte"
rm -rf "$root"/var/{cache/apt,lib/apt/lists}/* "$root"/usr/share/{doc,locale,man}

tar --create --directory "$root" . | docker import - "$image" >&2
