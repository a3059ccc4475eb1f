#!/bin/sh
# Builds dist/vipconsole_VERSION+debN_ARCH.deb for releases of Debian, in clean roots: build.sh WHEEL PIP SUITE…
#
# PIP fetches the libraries by the hashes of requirements.lock. What is built is built without a network, and without a compiler
# (-d), since all of them are wheels. The version is that of WHEEL.
set -eu
cd "$(dirname "$0")/.."
wheel=$1 pip=$2
shift 2
version=${wheel##*/vipconsole-}
version=${version%%-*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

for suite in "$@"; do
  case $suite in
    bookworm) number=12 ;;
    trixie) number=13 ;;
    *) echo "build.sh: $suite is no release that it knows: bookworm trixie" >&2; exit 1 ;;
  esac
  tree=$work/$suite
  mkdir -p "$tree/wheels" dist
  cp -r debian console requirements.lock "$tree"
  cp "$wheel" "$tree/wheels"
  debian/wheels.sh "$pip" "$suite" "$tree/wheels" requirements.lock
  # Of a release candidate Debian says that it is before the release.
  cat >"$tree/debian/changelog" <<CHANGES
vipconsole ($(echo "$version" | sed 's/\(a\|b\|rc\|\.dev\)\([0-9]*\)$/~\1\2/')+deb$number) $suite; urgency=medium

  * See CHANGELOG.md.

 -- vipconsole maintainers <maintainers@vipconsole.invalid>  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")
CHANGES
  debian/root.sh "$suite-build" --offline --bind "$work" /build sh -ec '
    cd "/build/$1"
    dpkg-buildpackage -b -d --no-sign >../said 2>&1 || { cat ../said >&2; exit 1; }' build "$suite"
  cp "$work"/vipconsole_*+deb"$number"_*.deb dist/
  ls -l "$(ls -t dist/vipconsole_*+deb"$number"_*.deb | head -1)"
done
