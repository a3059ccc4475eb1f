#!/bin/sh
# Fetches the libraries of lock files, by their hashes, as wheels for a release of Debian: wheels.sh PIP SUITE FOLDER LOCK…
set -eu
[ $# -ge 4 ] || { echo "usage: wheels.sh PIP SUITE FOLDER LOCK…" >&2; exit 1; }
pip=$1 suite=$2 folder=$3
shift 3
machine=$(uname -m)
case $suite in
  bookworm) python=311 libc=36 ;;
  trixie) python=313 libc=41 ;;
  *) echo "wheels.sh: $suite is no release that it knows: bookworm trixie" >&2; exit 1 ;;
esac
platforms=$(for minor in $(seq "$libc" -1 17); do echo "--platform manylinux_2_${minor}_$machine"; done)
locks=$(for lock in "$@"; do echo "-r $lock"; done)
# shellcheck disable=SC2086 - they are words
"$pip" download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -d "$folder" \
  --implementation cp --python-version "$python" --abi "cp$python" --abi abi3 --abi none $platforms \
  --platform "manylinux2014_$machine" --platform any $locks
