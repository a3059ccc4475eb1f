#!/bin/sh
# Holds the namespaces of one engine for as long as its own standard input stays open, then leaves nothing.
# Usage: keeper.sh NAME DIRECTORY, where NAME is the host name and the engine's parent cgroup is /lab-<last of DIRECTORY>.
# The end of input is the end of whoever started it, by whatever death: no clean-up of theirs has to run.
name=$1 directory=$2 group=lab-${2##*/}

# Orphans of the engine become children of an init that ignores CHLD: the kernel reaps them by itself.
# What engines write outside their own directories goes to filesystems that end with the namespace.
unshare -n -m -p -u -i --fork --mount-proc --kill-child=KILL /bin/sh -c '
  for place in /run /opt /etc/docker; do
    if [ -d "$place" ]; then mount -t tmpfs tmpfs "$place" || exit 1; fi
  done
  ip link set lo up && hostname "$1" && echo ready && exec env --ignore-signal=CHLD cat >/dev/null' init "$name"

# What was killed with the namespace takes a moment to leave its cgroups and its mounts.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  for root in /sys/fs/cgroup/"$group" /sys/fs/cgroup/*/"$group"; do
    [ ! -d "$root" ] || find "$root" -depth -type d -exec rmdir {} \; 2>/dev/null
  done
  rm -rf --one-file-system "$directory" 2>/dev/null
  left=$directory
  for root in /sys/fs/cgroup/"$group" /sys/fs/cgroup/*/"$group"; do [ ! -d "$root" ] || left=$root; done
  [ -e "$left" ] || exit 0
  sleep 0.1
done
echo "left over: $left" >&2
exit 1
