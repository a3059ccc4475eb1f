#!/bin/sh
# Runs a command with another Docker engine first in PATH: on_engine.sh VERSION COMMAND [ARGUMENT…]
#
# VERSION is `installed`, or one of those below: that engine is fetched from Debian once and unpacked into a cache. Nothing is
# installed, and APT's own lists and settings are neither read nor changed. Every index must be signed by Debian's archive
# keys; that it is expired is no failure, since mirrors lag behind. DEBIAN_MIRROR names another mirror.
set -eu

KEYS=/usr/share/keyrings/debian-archive-keyring.gpg
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vipconsole-engines

fail() {
  echo "on_engine.sh: $1" >&2
  exit 1
}

[ $# -ge 2 ] || fail "usage: on_engine.sh VERSION COMMAND [ARGUMENT…]"
version=$1
shift
case $version in
  installed) exec "$@" ;;
  26.1) suite=trixie ;;
  28.5) suite=sid ;; # sid moves: what it has is taken, and said below
  *) fail "no Debian suite is known to have engine $version; known are: installed 26.1 28.5" ;;
esac
if [ "$(id -u)" != 0 ]; then
  echo "on_engine.sh: engine $version is not fetched: no engine runs without root" >&2
  exec "$@"
fi

# apt COMMAND…: APT with lists, cache and sources in $work only; what it says is shown when it fails.
apt() {
  APT_CONFIG=$work/apt.conf LC_ALL=C "$@" >"$work/said" 2>&1 && return
  cat "$work/said" >&2
  fail "engine $version cannot be fetched from $MIRROR ($suite): \`$*\` failed as shown above"
}

fetch() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null \
    || fail "engine $version comes as Debian packages; apt-get and dpkg are needed to unpack them"
  [ -r "$KEYS" ] || fail "$KEYS is missing (package debian-archive-keyring)"
  mkdir -p "$CACHE"
  work=$(mktemp -d "$CACHE/fetching.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/engine/root" "$work/engine/bin"
  echo "deb [signed-by=$KEYS] $MIRROR $suite main" >"$work/sources.list"
  cat >"$work/apt.conf" <<END
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::State::Status "/dev/null";
Dir::Cache "$work";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
APT::Update::Error-Mode "any";
END
  apt apt-get update
  cd "$work"
  apt apt-get download docker.io containerd runc
  for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/engine/root"
    dpkg-deb -f "$package" Package Version | paste -d' ' - - >>"$work/engine/versions"
  done
  cd "$work/engine/bin"
  for program in sbin/dockerd sbin/docker-proxy bin/containerd bin/containerd-shim-runc-v2; do
    [ -x "../root/usr/$program" ] || fail "the packages of engine $version lack /usr/$program"
    ln -s "../root/usr/$program" .
  done
  # A newer runc may need a newer C library than this machine has: then this machine's runc is used.
  if ../root/usr/sbin/runc --version >/dev/null 2>&1; then
    ln -s ../root/usr/sbin/runc .
  else
    command -v runc >/dev/null || fail "the runc of engine $version does not run here, and none is installed (package runc)"
  fi
  ./dockerd --version >/dev/null || fail "the dockerd of engine $version does not run here"
  cd /
  # Somebody else may have been first: what is there then is as good.
  mv -T "$work/engine" "$CACHE/$version" 2>/dev/null || [ -x "$CACHE/$version/bin/dockerd" ] \
    || fail "$CACHE/$version cannot be written"
  rm -rf "$work"
  trap - EXIT INT TERM HUP
}

here=$PWD
[ -x "$CACHE/$version/bin/dockerd" ] || fetch
cd "$here"
has=$("$CACHE/$version/bin/dockerd" --version)
case $has in
  "Docker version $version."*) ;;
  *) echo "on_engine.sh: Debian $suite no longer has engine $version; the tests run on what it has" >&2 ;;
esac
echo "on_engine.sh: $has, from $CACHE/$version" >&2
PATH=$CACHE/$version/bin:$PATH exec "$@"
