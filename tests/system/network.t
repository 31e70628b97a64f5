#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Networks that fail: names that nobody resolves, servers that hang or refuse, a link that goes down
# and comes back. In a network namespace of its own, where nothing else is disturbed.
if [ -z "${OWN_NETWORK:-}" ]; then
	own='unshare --net --mount --propagation private'
	[ "$(id -u)" = 0 ] || own="unshare --user --map-root-user ${own#unshare}"
	$own true 2>/dev/null || { echo '1..0 # SKIP no network namespaces here'; exit 0; }
	OWN_NETWORK=1 exec $own "$0"
fi
. "${0%/*}/lib.sh"
needs ip perl timeout
needs_programs
ip link set lo up || skip_all 'no loopback in a network namespace here'

# listens NAME CODE: a server of a few lines of Perl; its port in $port
listens() {
	spawn "$1" perl -MIO::Socket::INET -e '
		$| = 1;
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "tcp", Listen => 50)
			or die;
		print $s->sockport, "\n";
		'"$2"'
		sleep 600;'
	wait_for [ -s "$dir/$1.out" ] || die "no server of ours"
	port=$(cat "$dir/$1.out")
}
# start_at NAME URL: a daemon that signs in there, with files of its own; $inside may run it elsewhere
inside=''
start_at() {
	state_directory=$dir/$1.state control=$dir/$1.sock AZSIM_LOGIN=$2 AZSIM_ARM=$2
	write_config "$dir/$1.conf"
	# shellcheck disable=SC2086
	spawn "mdcd-$1" $inside "$build/mdcd" --config "$dir/$1.conf"
	echo "$child" >"$dir/$1.pid"
	mdcd=$child
	wait_for mdcd_is_ready || die 'mdcd does not answer'
}
answers() { # answers NAME: it does not wait for what its daemon waits for
	timeout 10 "$build/mdcctl" --socket "$dir/$1.sock" status >/dev/null
}
ends() { # ends NAME WHAT: within seconds, whatever it waits for
	started=$(date +%s)
	end TERM "$(cat "$dir/$1.pid")"
	ok "$2: SIGTERM ends it with status 0" is "$status" 0
	ok "$2: within seconds" [ $(($(date +%s) - started)) -le 20 ]
}
problem_is() { # problem_is NAME PATTERN: what the pass says
	control=$dir/$1.sock
	status_is "\$pass{subscriptions}{first_problem} =~ m{$2}"
}
mode=observe
AZSIM_CA=/etc/ssl/certs/ca-certificates.crt
[ -s $AZSIM_CA ] || AZSIM_CA=$(openssl version -d | sed 's/.*"\(.*\)"/\1/')/cert.pem
poll='subscriptions = 2s  machines = 2s  operations = 1s'

# --- names, and places ---

echo 'hosts: files dns' >"$dir/nsswitch.conf"
echo 'nameserver 127.0.0.1' >"$dir/resolv.conf"
echo 'options timeout:30 attempts:5' >>"$dir/resolv.conf"
mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf &&
	mount --bind "$dir/resolv.conf" /etc/resolv.conf || skip_all 'no mounts here'
# Takes every question and answers none.
spawn dns perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 53, Proto => "udp") or die;
	$| = 1;
	print "ready\n";
	while ($s->recv(my $question, 512)) { print "asked\n" }'
dns=$child
wait_for grep -q ready "$dir/dns.out" || die 'no name server of ours'

# What is said after several tries and time-outs takes its time: all at once.
start_at asking https://login.nowhere.test
ok "a name server that does not answer is asked" wait_for grep -q asked "$dir/dns.out"
ok "mdcctl is answered meanwhile" answers asking
ends asking "while a name is asked for"

cat >"$dir/elsewhere" <<'END'
#!/bin/sh
mount --bind "$1" /etc/resolv.conf && shift && exec "$@"
END
chmod 755 "$dir/elsewhere"
echo 'nameserver 127.0.0.2' >"$dir/nobody.conf"
inside="unshare --mount $dir/elsewhere $dir/nobody.conf"
start_at nowhere https://login.nowhere.test
inside=''
start_at unheard https://login.nowhere.test
listens deaf ''
start_at deaf "https://localhost:$port"
listens refused 'close $s;'
start_at refused "https://localhost:$port"
listens closing 'while (my $c = $s->accept) { close $c }'
start_at closing "https://localhost:$port"
listens other 'while (my $c = $s->accept) { print $c "220 mail.example ESMTP\r\n"; close $c }'
start_at other "https://localhost:$port"
ok "a refused connection is told" wait_for problem_is refused "connection.*localhost"
ends refused "a refused connection"
ok "a server that hangs up is told" wait_for problem_is closing 'connection|TLS'
ends closing "a server that hangs up"
ok "a server of another protocol is told" \
	wait_for problem_is other 'TLS.*(wrong version|record|unexpected)'
ends other "a server of another protocol"
ok "mdcctl is answered beside a server that does not speak" answers deaf
ok "a server that does not speak is told" wait_for problem_is deaf 'time.?out|timed out'
ends deaf "a server that does not speak"
ok "a name server that does not answer is told" wait_for problem_is unheard 'timed out|resol'
ok "mdcctl is answered then, too" answers unheard
ends unheard "a name server that does not answer"
end TERM "$dns"
ok "no name server: it is told" wait_for problem_is nowhere 'resol.*login.nowhere.test'
ends nowhere "no name server"

# --- a link that goes down ---

state_directory=$dir/link.state control=$dir/link.sock
machines=120
start_azsim --generate "subscriptions=4,machines=$machines,linux=40%,legacy=0,deployer=off,$(
)plan=P2,integration=on,unified=on,pace=30,lag=1s"
mode=enforce
poll='subscriptions = 1s  machines = 1s  operations = 1s  jitter = 0%'
write_config
start_mdcd
confirm
busy() { status_is '$s->{operations}{running} >= 20'; }
ok "operations run" wait_for busy
ip link set lo down
ok "the link is down: mdcctl is answered" answers link
ip link set lo up
ok "the link is up: all comes into sync by itself" wait_for settled
stop_mdcd
ok "azsim's verdict is good" verdict_of_azsim
ok "each machine was written to once" is "$(requests '"method":"PUT".*/extensions/')" $machines
finish
