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
	server=$child
	wait_for [ -s "$dir/$1.out" ] || die "no server of ours"
	port=$(cat "$dir/$1.out")
}
# at URL: a daemon that signs in there, with files of its own
at() {
	AZSIM_LOGIN=$1 AZSIM_ARM=$1
	rm -rf "$dir/state"
	write_config
	start_mdcd
}
answers() { timeout 10 "$build/mdcctl" --socket "$control" status >/dev/null; }
ends() { # ends NAME: within seconds, whatever it waits for
	started=$(date +%s)
	stop_mdcd
	ok "$1: SIGTERM ends it with status 0" is "$status" 0
	ok "$1: within seconds" [ $(($(date +%s) - started)) -le 20 ]
}
problem_is() { # problem_is PATTERN: what the pass, or else the token, says
	status_is "\$pass{subscriptions}{first_problem} =~ m{$1}"
}
AZSIM_CA=/etc/ssl/certs/ca-certificates.crt
[ -s $AZSIM_CA ] || AZSIM_CA=$(openssl version -d | sed 's/.*"\(.*\)"/\1/')/cert.pem
mode=observe
poll='subscriptions = 2s  machines = 2s  operations = 1s'

# --- names ---

echo 'hosts: files dns' >"$dir/nsswitch.conf"
echo 'nameserver 127.0.0.1' >"$dir/resolv.conf"
mount --bind "$dir/nsswitch.conf" /etc/nsswitch.conf &&
	mount --bind "$dir/resolv.conf" /etc/resolv.conf || skip_all 'no mounts here'
nowhere=https://login.nowhere.test

at $nowhere
ok "no name server: it is told" wait_for problem_is 'resolve.*login.nowhere.test'
ends "no name server"

# Takes every question and answers none.
spawn dns perl -MIO::Socket::INET -e '
	my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 53, Proto => "udp") or die;
	$| = 1;
	print "ready\n";
	while ($s->recv(my $question, 512)) { print "asked\n" }'
dns=$child
wait_for grep -q ready "$dir/dns.out" || die 'no name server of ours'
echo 'options timeout:30 attempts:5' >>"$dir/resolv.conf"
at $nowhere
ok "a name server that does not answer: it is asked" wait_for grep -q asked "$dir/dns.out"
ok "a name server that does not answer: mdcctl is answered" answers
ends "a name server that does not answer"
at $nowhere
ok "a name server that never answers: it is told" wait_for problem_is 'timed out\|resolv'
ok "a name server that never answers: mdcctl is answered" answers
ends "a name server that never answers"
end TERM "$dns"

# --- servers ---

listens closed 'close $s;'
at "https://localhost:$port"
ok "a refused connection: it is told" wait_for problem_is "no connection.*localhost.*$port"
ends "a refused connection"

listens deaf ''
at "https://localhost:$port"
ok "a server that does not speak: mdcctl is answered" answers
ends "a server that does not speak"
at "https://localhost:$port"
ok "a server that never speaks: it is told" wait_for problem_is 'timed out'
ends "a server that never speaks"
end KILL "$server"

listens closing 'while (my $c = $s->accept) { close $c }'
at "https://localhost:$port"
ok "a server that hangs up: it is told" wait_for problem_is 'connection|TLS'
ends "a server that hangs up"
end KILL "$server"

listens other 'while (my $c = $s->accept) { print $c "220 mail.example ESMTP\r\n"; close $c }'
at "https://localhost:$port"
ok "a server of another protocol: it is told" wait_for problem_is 'TLS.*(wrong version|record|unexpected)'
ends "a server of another protocol"
end KILL "$server"

# --- a link that goes down ---

rm -rf "$dir/state"
machines=120
echo '[]' >"$dir/faults.json"
start_azsim --generate "subscriptions=4,machines=$machines,linux=40%,legacy=0,deployer=off,$(
)plan=P2,integration=on,unified=on,pace=30,lag=1s" --faults "$dir/faults.json"
mode=enforce
poll='subscriptions = 1s  machines = 1s  operations = 1s  jitter = 0%'
write_config
start_mdcd
confirm
busy() { status_is '$s->{operations}{running} >= 20'; }
ok "operations run" wait_for busy
ip link set lo down
ok "the link is down: mdcctl is answered" answers
ok "the link is down: it is told" wait_for status_is 'grep { $_->{problems} } values %pass'
ip link set lo up
ok "the link is up: all comes into sync by itself" wait_for settled
stop_mdcd
ok "azsim's verdict is good" verdict_of_azsim
ok "each machine was written to once" is "$(requests '"method":"PUT".*/extensions/')" $machines
finish
