# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# A machine for a test, with a real systemd as its process 1: this machine's files below a layer that
# takes all changes, and everything else (processes, mounts, cgroups) its own. The network is the
# test's, and so is $dir, which lies at the same path. The first process has the test as its parent
# and ends with it, and all others end with the first, whatever happens.
#
# `. systemd_lab.sh` after lib.sh, in a network namespace of the test's own; then start_lab, and
# `lab COMMAND...` to run something in it.

lab_cgroups=/sys/fs/cgroup
[ -f $lab_cgroups/cgroup.procs ] || lab_cgroups=$lab_cgroups/unified
lab_cgroup=$lab_cgroups/mdcd-lab.$$
lab_pid=''

# Units that want hardware, or that only take time.
lab_masked='systemd-udevd.service systemd-udev-trigger.service systemd-modules-load.service
	systemd-sysctl.service systemd-remount-fs.service systemd-logind.service systemd-timesyncd.service
	systemd-networkd.service systemd-resolved.service systemd-update-utmp.service console-getty.service
	getty.target apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
	man-db.timer fstrim.timer systemd-initctl.socket systemd-journald-audit.socket sys-kernel-debug.mount
	sys-kernel-tracing.mount dev-hugepages.mount'

needs_lab() {
	[ "$(id -u)" = 0 ] || skip_all 'a systemd of our own needs root'
	[ -x /lib/systemd/systemd ] || skip_all 'no systemd here'
	for filesystem in overlay cgroup2; do
		grep -qw $filesystem /proc/filesystems || skip_all "this kernel has no $filesystem"
	done
	unshare --mount --pid --fork --ipc --uts --cgroup true 2>/dev/null ||
		skip_all 'namespaces are refused here (a container without CAP_SYS_ADMIN, or seccomp)'
	[ -w $lab_cgroups/cgroup.procs ] || skip_all 'the tree of control groups (v2) is read-only here'
}

# Runs in its namespaces, with the machine's files at $lab_root. A pivot_root and not a chroot, since
# a chroot may have no user namespaces; shared mounts, since credentials come by such a mount; new
# /tmp and /run, since otherwise the real ones are tidied up at the start.
cat >"$dir/lab-init" <<'END'
set -eu
echo 0 >"$lab_cgroup/cgroup.procs"
exec unshare --mount --propagation private --pid --fork --uts --ipc --cgroup --kill-child -- \
	sh -eu -c '
	mount -t tmpfs -o mode=755 tmpfs "$lab_root"
	cd "$lab_root"
	mkdir upper work root
	mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
	cd root
	mount -t proc -o nosuid,nodev,noexec proc proc
	mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
	mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755,nosuid tmpfs dev
	for device in null zero full random urandom tty; do
		: >dev/$device
		mount --bind /dev/$device dev/$device
	done
	mkdir dev/pts dev/shm
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	mount -t tmpfs -o mode=1777 tmpfs dev/shm
	mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
	mkdir -p ".$dir" run/old run/systemd/system run/systemd/journald.conf.d
	mount --bind "$dir" ".$dir"
	printf "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n" \
		>run/systemd/journald.conf.d/lab.conf
	for unit in $lab_masked; do
		ln -s /dev/null run/systemd/system/$unit
	done
	pivot_root . run/old
	umount -l /run/old
	mount --make-rshared /
	exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
		--unit=basic.target --show-status=no --log-target=journal'
END

start_lab() {
	remove_cgroups "$lab_cgroups"/mdcd-lab.*
	mkdir "$lab_cgroup" || skip_all 'no control group may be made here'
	echo "$lab_cgroup" >"$dir/cgroup"
	lab_root=$dir/lab
	mkdir "$lab_root"
	export dir lab_root lab_cgroup lab_masked
	spawn lab-init sh "$dir/lab-init"
	lab_parent=$child
	tidy=end_lab
	wait_for lab_is_up
	[ -n "$lab_pid" ] || { sed 's/^/# /' "$dir/lab-init.err"; skip_all 'systemd does not start here'; }
}
lab_is_up() {
	is_alive "$lab_parent" || return 0
	lab_pid=$(awk '{ print $1 }' "/proc/$lab_parent/task/$lab_parent/children")
	[ -n "$lab_pid" ] && [ "$(cat "/proc/$lab_pid/comm")" = systemd ] &&
		quietly lab systemctl is-active basic.target || { lab_pid=''; false; }
}
end_lab() { # its processes end with the first
	[ -z "$lab_pid" ] || kill -KILL "$lab_pid"
	leave "$lab_parent"
	wait_for remove_cgroups "$lab_cgroup"
}
remove_cgroups() { # those that nobody is in any more, such as of a test that was killed
	for cgroup in "$@"; do
		[ ! -d "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	[ ! -d "$lab_cgroup" ]
}
lab() { # lab COMMAND...
	nsenter -t "$lab_pid" -a -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@" 9>&-
}
