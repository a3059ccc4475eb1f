#!/bin/sh
# Runs a command in a clean Debian, of which nothing is left: root.sh SUITE-KIND [--offline] [--bind FROM TO]… COMMAND…
#
# KIND `build` has what a package is built with, `host` what a small server has. A root is made from Debian's archive once and
# lies in a cache; the command runs on a copy-on-write view of it, in namespaces of its own. Root only. DEBIAN_MIRROR names
# another mirror.
set -eu

# Also where a test has given HOME another meaning.
CACHE=$(getent passwd "$(id -u)" | cut -d: -f6)/.cache/vipconsole-roots
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

fail() {
  echo "root.sh: $1" >&2
  exit 1
}

[ $# -ge 2 ] || fail "usage: root.sh SUITE-KIND [--offline] [--bind FROM TO]… COMMAND…"
[ "$(id -u)" = 0 ] || fail "a clean Debian is made and entered by root only"
name=$1
shift
case $name in
  *-build) packages=debhelper,python3-venv ;;
  *-host) packages=systemd-sysv,dbus,ca-certificates,bash-completion,zsh,fish,man-db,python3-venv,python3-systemd ;;
  *) fail "no root is known as $name; known are SUITE-build and SUITE-host" ;;
esac

if [ ! -d "$CACHE/$name" ]; then
  command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing (package mmdebstrap)"
  mkdir -p "$CACHE"
  work=$(mktemp -d "$CACHE/making.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
  mmdebstrap --quiet --variant=apt --include="$packages" "${name%-*}" "$work/root" "$MIRROR" >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    fail "$name cannot be made from $MIRROR, as shown above"
  }
  # Somebody else may have been first: what is there then is as good.
  mv -T "$work/root" "$CACHE/$name" 2>/dev/null || [ -d "$CACHE/$name" ] || fail "$CACHE/$name cannot be written"
  rm -rf "$work"
  trap - EXIT INT TERM HUP
fi

net=
if [ "$1" = --offline ]; then
  net=-n
  shift
fi
view=$(mktemp -d)
trap 'rmdir "$view"' EXIT
unshare -m -p -u -i $net --fork --kill-child=KILL sh -euc '
  lower=$1 view=$2
  shift 2
  mount -t tmpfs tmpfs "$view"
  mkdir "$view/up" "$view/work" "$view/root"
  cd "$view/root"
  mount -t overlay -o "lowerdir=$lower,upperdir=$view/up,workdir=$view/work" overlay .
  cd "$view/root"
  mount -t proc proc proc
  mount -t sysfs -o ro sysfs sys
  mount -t tmpfs tmpfs run
  mount -t tmpfs -o mode=755 tmpfs dev
  for device in null zero full random urandom tty; do : >"dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
  mkdir -p dev/pts dev/shm
  mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
  ln -sf pts/ptmx dev/ptmx
  ln -sf /proc/self/fd dev/fd
  cp /etc/resolv.conf etc/resolv.conf
  echo clean >etc/hostname
  hostname clean
  echo 127.0.0.1 localhost clean >etc/hosts
  while [ "$1" = --bind ]; do
    # A link in the way leads to a place in there.
    chroot . mkdir -p "$(dirname "$3")"
    place=.$(chroot . readlink -f "$3")
    if [ -d "$2" ]; then mkdir -p "$place"; else : >"$place"; fi
    mount --bind "$2" "$place"
    shift 3
  done
  exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    DEBIAN_FRONTEND=noninteractive chroot . "$@"
' root.sh "$CACHE/$name" "$view" "$@"
