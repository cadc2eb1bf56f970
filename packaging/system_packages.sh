#!/usr/bin/env bash
# Makes sure that the Debian packages of `packaging/debian/LIST.txt` are there: installs what is missing when
# it may (root), else prints the one line to run. Usage: system_packages.sh LIST...
set -euo pipefail
cd "$(dirname "$0")/debian"
command -v dpkg-query >/dev/null || { echo "Not Debian: see packaging/debian/ for the libraries to install."; exit 0; }

missing=()
for list in "$@"; do
    while read -r package; do
        [ -n "$package" ] || continue
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done < <(sed 's/#.*//; s/[[:space:]]*$//' "$list.txt")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
    echo "Installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "Some system packages are missing. Run this line, then make again:" >&2
    echo "  sudo apt-get install -y ${missing[*]}" >&2
    exit 1
fi
