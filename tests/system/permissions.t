#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may ask the daemon what, with real users and groups: the daemon runs as the user mdcd, in a
# mount namespace with users of our own.
[ "$(id -u)" = 0 ] || { echo '1..0 # SKIP becoming other users needs root'; exit 0; }
if [ -z "${OTHER_USERS:-}" ]; then
	unshare --mount true 2>/dev/null || { echo '1..0 # SKIP no mount namespaces here'; exit 0; }
	OTHER_USERS=1 exec unshare --mount --propagation private "$0"
fi
. "${0%/*}/lib.sh"
needs perl setpriv
needs_programs

cp /etc/passwd /etc/group "$dir/"
sed -i '/^mdcd/d' "$dir/passwd" "$dir/group"
cat >>"$dir/passwd" <<END
mdcd:x:64801:64801::/nonexistent:/usr/sbin/nologin
looker:x:64802:64802::/nonexistent:/bin/sh
changer:x:64803:64803::/nonexistent:/bin/sh
admin:x:64804:64805::/nonexistent:/bin/sh
nobody-s:x:64806:64806::/nonexistent:/bin/sh
END
cat >>"$dir/group" <<END
mdcd:x:64801:looker
mdcd-admin:x:64805:changer
END
mount --bind "$dir/passwd" /etc/passwd && mount --bind "$dir/group" /etc/group ||
	skip_all 'no mounts here'
# The build may lie where others may not go.
install -m 755 "$build/mdcd" "$build/mdcctl" "$dir/"
as() { # as USER COMMAND...
	user=$1
	shift
	setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
}
asks() { # asks USER ARG...: mdcctl, its exit status in $status
	user=$1
	shift
	run setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups \
		"$dir/mdcctl" --socket "$control" "$@"
}

start_azsim --generate 'subscriptions=1,machines=5,lag=1s'
mode=observe
control=$dir/run/control.sock
write_config
chmod 755 "$dir" "$dir/tls"
chown mdcd "$dir/secret"
install -d -o mdcd -m 755 "$dir/run"
install -d -o mdcd -m 700 "$dir/state"
spawn mdcd setpriv --reuid mdcd --regid mdcd --clear-groups "$dir/mdcd" --config "$dir/mdcd.conf"
mdcd=$child
wait_for mdcd_is_ready
ok "it runs as its own user" is "$(stat -c %U "/proc/$mdcd")" mdcd
ok "it observes" wait_for observed

may_not() { # may_not WHO WHAT GROUP: and is told what would help
	ok "$1 may not $2" is "$status" 1
	ok "$1 is told which group may $2" has "$dir/run.err" "group $3"
}
for user in root mdcd changer admin looker; do
	asks $user status
	ok "$user may look" is "$status" 0
done
asks nobody-s status
may_not nobody-s look mdcd
asks nobody-s pause all
may_not nobody-s change mdcd
asks looker pause all
may_not looker change mdcd-admin
ok "nothing was paused" status_is '!%{$s->{writes}{paused}}'
for user in root mdcd changer admin; do
	asks $user pause all --reason why
	ok "$user may change" is "$status" 0
	ok "what $user did is seen" \
		wait_for status_is "\$s->{writes}{paused}{all}{by} =~ /^$user/"
	ok "it is in the log" has "$dir/mdcd.err" "all paused by $user.*: why"
	asks $user resume all
	ok "$user may change it back" is "$status" 0
done
asks looker reload
may_not looker change mdcd-admin
asks looker halt
ok "a refused halt does not halt" status_is '!$s->{writes}{halted}'

# --- what lies on the disk ---

ok "the state is its owner's alone" is "$(stat -c %a "$dir/state")" 700
others() { find "$dir/state" -perm /o+rwx; }
ok "so is each file in it" is "$(others)" ""
ok "the socket lets everybody ask" is "$(stat -c %a "$control")" 666
as nobody-s cat "$dir/state/state.db" >"$dir/read" 2>&1
ok "others read nothing of it" lacks "$dir/read" SQLite

# --- those who only disturb ---

disturb() { # disturb NAME PERL: as somebody without any right; $sockets connects
	spawn "$1" setpriv --reuid nobody-s --regid 64806 --clear-groups perl -MIO::Socket::UNIX -e '
		$| = 1;
		$SIG{PIPE} = "IGNORE";
		sub connected { IO::Socket::UNIX->new(Peer => $ARGV[0]) }
		'"$2"'
		print "done\n";
		sleep 600;' "$control"
	disturber=$child
	wait_for grep -q done "$dir/$1.out"
}
disturb many 'push @s, connected() // () for 1..300;'
run ctl status
ok "hundreds of idle connections lock nobody out" is "$status" 0
end KILL "$disturber"
disturb long 'my $s = connected(); print $s "x" x 1000 for 1..2000;'
run ctl status
ok "a line without end is no trouble" is "$status" 0
end KILL "$disturber"
disturb garbage 'for (1..200) {
		my $s = connected() or next;
		print $s pack("C*", map { rand 256 } 1..500), "\n";
	}'
run ctl status
ok "nor are random bytes" is "$status" 0
end KILL "$disturber"
end TERM "$mdcd"
ok "it ends as asked" is "$status" 0
ok "it took the socket away" not [ -e "$control" ]
ok "azsim's verdict is good" verdict_of_azsim
finish
