#!/bin/sh
# Runs the dockerd of a temporary manager in namespaces of its own. Namespaces and cable live exactly as long as the
# process that this becomes: whatever kills it, or dockerd, leaves nothing but the data in FOLDER.
#
# temporary-manager.sh unit|session FOLDER INTERFACE HOST_ADDRESS ADDRESS PREFIX MANAGER_ADDRESS DOCKERD
# `unit` stays in the foreground; `session` leaves itself behind in a session of its own. PATH is where commands are found.
set -eu
as=$1 folder=$2 interface=$3 host_address=$4 address=$5 prefix=$6 manager_address=$7 dockerd=$8

fail() {
  echo "temporary-manager.sh: $1" >&2
  exit 1
}

hide() { # hide PLACE: what is written there ends with the namespace
  [ ! -d "$1" ] || mount -n -t tmpfs -o mode=755 tmpfs "$1" || fail "$1 cannot be hidden"
}

case $as in
unit | session)
  # One that does not come up is started again each second, and says why each time.
  [ ! -f "$folder/log" ] || [ "$(wc -c <"$folder/log")" -lt 1048576 ] || : >"$folder/log"
  exec </dev/null >>"$folder/log" 2>&1
  # Held by every process of this manager: free means that none lives. One that was just killed needs a moment.
  exec 9>>"$folder/lock"
  flock -w 10 9 || fail "another one runs"
  # The namespace that this host's end of the cable belongs into.
  exec 8</proc/self/ns/net
  shift
  if [ "$as" = session ]; then exec setsid --fork /bin/sh "$0" alone "$@"; fi
  exec /bin/sh "$0" alone "$@"
  ;;
alone)
  echo "$$" >"$folder/pid.new" && mv "$folder/pid.new" "$folder/pid"
  shift
  exec unshare -n -m -p -u -i --fork --mount-proc --kill-child=KILL /bin/sh "$0" inside "$@"
  ;;
inside) ;;
*) fail "unknown: $as" ;;
esac

outside() { # outside COMMAND…: in the host's network
  nsenter --net=/proc/self/fd/8 -- "$@"
}

echo vipconsole-temporary >/proc/sys/kernel/hostname

# The cable. The end of an earlier one may still be about to vanish.
outside ip link delete dev "$interface" 2>/dev/null || :
made=
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  if outside ip link add dev "$interface" type veth peer name cable netns 1; then made=yes && break; fi
  sleep 0.2
  outside ip link delete dev "$interface" 2>/dev/null || :
done
[ -n "$made" ] || fail "the interface $interface cannot be created"

# Nothing that arrives over the cable is passed on, and IPv6 is not spoken: rules of a firewall say so once more.
outside /bin/sh -ec '
  cd /proc/sys/net
  echo 0 >"ipv4/conf/$1/forwarding"
  [ ! -e "ipv6/conf/$1/disable_ipv6" ] || echo 1 >"ipv6/conf/$1/disable_ipv6"' sh "$interface"
for place in all default; do
  [ ! -e "/proc/sys/net/ipv6/conf/$place/disable_ipv6" ] || echo 1 >"/proc/sys/net/ipv6/conf/$place/disable_ipv6"
  # Who is not reached over the cable cannot have sent what comes over it.
  echo 1 >"/proc/sys/net/ipv4/conf/$place/rp_filter"
done
echo 1 >/proc/sys/net/ipv4/conf/cable/rp_filter

# The real manager speaks from its own address, so that the swarm goes on to know it by that.
outside ip address add "$host_address/32" dev "$interface"
outside ip link set dev "$interface" up
outside ip route replace "$address/32" dev "$interface" src "$manager_address"
ip link set dev lo up
ip address add "$address/$prefix" dev cable
ip link set dev cable up
ip route add "$manager_address/32" via "$host_address" dev cable src "$address"
exec 8<&-

# /run is hidden whole: the sockets of the host's dockerd, containerd, D-Bus and systemd lie there. What NixOS finds its
# commands by are links in it, and they stay; so does the folder, wherever it lies.
mkdir -p "$folder/run"
mount -n -t tmpfs -o mode=755 tmpfs "$folder/run"
for link in /run/*; do
  [ ! -L "$link" ] || ln -s "$(readlink "$link")" "$folder/run/${link#/run/}"
done
case $folder in
/run/*)
  mkdir -p "$folder/run/${folder#/run/}"
  mount -n --bind "$folder" "$folder/run/${folder#/run/}"
  ;;
esac
mount -n --move "$folder/run" /run
[ -L /var/run ] || hide /var/run
hide /etc/docker
case $dockerd:$PATH in
/opt/* | *:/opt/*) ;;
*) hide /opt ;; # containerd makes a folder there
esac

set -- "$dockerd" \
  --config-file "$folder/daemon.json" \
  --data-root "$folder/data" \
  --exec-root /run/docker \
  --pidfile /run/docker.pid \
  --host "unix://$folder/docker.sock" \
  --group 0 \
  --bridge none \
  --iptables=false \
  --ip-forward=false \
  --ip-masq=false \
  --userland-proxy=false \
  --storage-driver vfs \
  --exec-opt native.cgroupdriver=cgroupfs \
  --log-level warn
case $("$dockerd" --help 2>&1) in
*--ip6tables*) set -- "$@" --ip6tables=false ;;
esac
exec env -i "PATH=$PATH" LC_ALL=C "$@"
