#!/bin/sh
# Boots the systemd of this machine as the first process of namespaces of its own, on a copy-on-write view of this
# machine's files, and leaves nothing. Usage: systemd.sh DIRECTORY PLANTED SEEN…; it lives as long as its own standard input
# is open. What is PLANTED ("" for nothing) lies before this machine's files, as if it had been there. What is SEEN inside
# may lie on other filesystems than its root. Where the environment has BASE, that folder is taken for this machine's files. How this machine is set, and what the program keeps on it, is not seen.
#
# Like in a container it gets a /dev, a /sys and cgroups of its own, and kernel settings that it cannot write:
# a systemd that could would take this machine for its own.
directory=$1
export GROUP="lab-${1##*/}"

inside='
  directory=$1 planted=$2 lower=${BASE:-/}
  shift 2
  mount -t tmpfs tmpfs "$directory"
  cd "$directory"
  mkdir up work root
  # Layers of an overlay may not lie in one another.
  [ -z "$planted" ] || { cp -r "$planted" planted && lower=planted:$lower; }
  mount -t overlay -o "lowerdir=$lower,upperdir=up,workdir=work" overlay root
  cd root
  mount -t proc proc proc
  mount --bind proc/sys proc/sys
  mount -o remount,ro,bind proc/sys
  # Of the network that is its own it may set all.
  mount --bind /proc/sys/net proc/sys/net
  mount -t sysfs -o ro sysfs sys
  if grep -q " /sys/fs/cgroup cgroup2 " /proc/mounts; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
  else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    for kind in cpu cpuacct cpuset memory devices freezer blkio pids; do
      mkdir "sys/fs/cgroup/$kind"
      mount -t cgroup -o "$kind" cgroup "sys/fs/cgroup/$kind"
    done
  fi
  for place in dev run var/log; do mount -t tmpfs tmpfs "$place"; done
  rm -rf etc/vipconsole var/lib/vipconsole etc/docker etc/gitconfig etc/localtime etc/default/locale
  rm -rf root/.config root/.docker root/.gitconfig root/.local/state
  : > etc/environment
  mkdir dev/shm dev/pts
  for device in null zero full random urandom tty; do : > "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
  mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
  ln -s pts/ptmx dev/ptmx
  : > dev/console
  mount --bind /dev/null dev/console
  for place in "$@"; do mkdir -p ".$place" && mount --rbind "$place" ".$place"; done
  # Nothing of what this machine would start, but a journal, logins and the bus that they are asked over.
  rm -rf etc/systemd usr/local/lib/systemd usr/lib/systemd/system/*.wants
  mkdir -p etc/systemd/system
  wanted="systemd-journald.service dbus.socket systemd-logind.service"
  printf "[Unit]\nRequires=%s\nAfter=%s\n" "$wanted" "$wanted" > etc/systemd/system/lab.target
  : > etc/fstab
  # What is executed in a container joins its namespace of mounts, and begins at the root of that. Below a mere chroot it
  # is the root of this machine: `docker exec` would act on its files.
  pivot_root . mnt
  exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . sh -ec "umount -l /mnt
    exec /lib/systemd/systemd --system --unit=lab.target --log-target=journal"'

join='
  for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$root/cgroup.procs" ] || continue
    mkdir -p "$root/$GROUP"
    # Nobody can join before it is said where it may run.
    for what in cpuset.mems cpuset.cpus; do
      [ ! -e "$root/$what" ] || cat "$root/$what" > "$root/$GROUP/$what"
    done
    echo 0 > "$root/$GROUP/cgroup.procs"
  done 2>/dev/null
  exec unshare -C sh -ec "$@"'

leave() {
  for attempt in $(seq 100); do
    left=
    for root in /sys/fs/cgroup/"$GROUP" /sys/fs/cgroup/*/"$GROUP"; do
      [ ! -d "$root" ] || find "$root" -depth -type d -exec rmdir {} \; 2>/dev/null
      [ ! -d "$root" ] || left=$root
    done
    [ -n "$left" ] || return 0
    sleep 0.1
  done
  echo "left over: $left" >&2
  return 1
}

unshare -m -p -u -i -n --fork --mount-proc --kill-child=KILL \
  sh -c "$join" join "$inside" inside "$@" >"$directory.out" 2>&1 &
echo "$!"
cat >/dev/null
kill -9 "$!" 2>/dev/null
wait
leave
ended=$?
rm -rf --one-file-system "$directory" "$directory.out"
exit $ended
