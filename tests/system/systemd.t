#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The unit as it is installed, under a real systemd: when it counts as started, what it tells, reload,
# watchdog, credentials, sandbox, groups, and its end.
if [ -z "${OWN_NETWORK:-}" ]; then
	own='unshare --net --mount --propagation private'
	$own true 2>/dev/null || { echo '1..0 # SKIP no namespaces here, or not root'; exit 0; }
	OWN_NETWORK=1 exec $own "$0"
fi
. "${0%/*}/lib.sh"
. "$here/systemd_lab.sh"
needs ip make nsenter openssl perl
needs_programs
needs_lab
ip link set lo up || skip_all 'no loopback in a network namespace here'

quietly make -C "$root" BUILD="$build" DESTDIR="$dir/root" PREFIX=/usr install-files ||
	die 'make install-files failed'
mkdir "$dir/tokens"
cat >"$dir/estate.json" <<END
{ "tenants": [ { "id": "$tenant" } ],
  "principals": [
    { "tenant": "$tenant", "client": "$client", "secret": "estate-secret",
      "roles": [ { "scope": "/", "role": "Owner" } ] },
    { "tenant": "$tenant", "client": "20000000-0000-4000-8000-000000000007", "managed": "arc",
      "systemAssigned": true, "roles": [ { "scope": "/", "role": "Reader" } ] } ],
  "subscriptions": [ { "id": "30000000-0000-4000-8000-000000000001", "tenant": "$tenant",
    "groups": [ { "name": "rg", "location": "westeurope" } ],
    "machines": [ { "name": "srv-1", "group": "rg", "os": "Windows Server 2022 Datacenter" } ] } ] }
END
start_azsim --estate "$dir/estate.json" --himds-listen 127.0.0.1:0 --himds-keys "$dir/tokens"
start_lab

ctl() { lab mdcctl "$@"; }
as() { # as USER COMMAND...: its exit status in $status
	user=$1
	shift
	run lab setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}
property() { lab systemctl show --value -p "$1" mdcd.service; }
property_is() { # property_is NAME PATTERN: which a shell understands
	value=$(property "$1")
	# shellcheck disable=SC2254
	case $value in $2) ;; *) false ;; esac
}
of_main() { # of_main FIELD: in /proc/PID/status
	lab sed -n "s/^$1:[[:space:]]*//p" "/proc/$(property MainPID)/status"
}
drop_in() { # drop_in NAME: from standard input
	mkdir -p "$dir/drop-ins"
	cat >"$dir/drop-ins/$1.conf"
	lab install -D -m 644 "$dir/drop-ins/$1.conf" "/etc/systemd/system/mdcd.service.d/$1.conf"
	lab systemctl daemon-reload
}
no_drop_in() {
	lab rm "/etc/systemd/system/mdcd.service.d/$1.conf"
	lab systemctl daemon-reload
}
example() { drop_in "$1" <"$dir/root/usr/share/doc/mdcd/$1.conf.example"; }
configure() { # what write_config makes becomes the lab's
	write_config "$dir/new.conf"
	lab cp "$dir/new.conf" /etc/mdcd/mdcd.conf
}
journal() { lab journalctl -q -u mdcd.service "$@"; }
told() { # told PATTERN [MATCH...]
	pattern=$1
	shift
	journal "$@" | grep -q -e "$pattern"
}

# --- what an administrator does to install it ---

lab cp -a "$dir/root/." /
run lab systemd-sysusers
ok "sysusers makes its user and groups" is "$status" 0
for group in mdcd mdcd-admin; do
	ok "the group $group is there" quietly lab getent group $group
done
lab mkdir -p /etc/mdcd/credentials
lab sh -c 'umask 077; printf estate-secret >/etc/mdcd/credentials/client-secret'
lab cp "$AZSIM_CA" /etc/mdcd/ca.pem
AZSIM_CA=/etc/mdcd/ca.pem
state_directory=/var/lib/mdcd
control=/run/mdcd/control.sock
log=journal
mode=observe
by_file='method = client-secret  secret-file = "/etc/mdcd/credentials/client-secret"'
proof=$by_file
configure
run lab systemd-tmpfiles --create mdcd.conf
ok "tmpfiles makes its directories" is "$status" 0
modes() { lab stat -c '%n %a %U:%G' "$@"; }
ok "each with its mode and owner" is "$(modes /var/lib/mdcd /etc/mdcd /etc/mdcd/conf.d \
	/etc/mdcd/credentials /etc/mdcd/credentials/client-secret /etc/mdcd/mdcd.conf)" \
	'/var/lib/mdcd 700 mdcd:mdcd
/etc/mdcd 750 root:mdcd
/etc/mdcd/conf.d 750 root:mdcd
/etc/mdcd/credentials 750 root:mdcd
/etc/mdcd/credentials/client-secret 640 root:mdcd
/etc/mdcd/mdcd.conf 640 root:mdcd'
cat >"$dir/people" <<END
u looker - -
m looker mdcd
u changer - -
m changer mdcd-admin
u stranger - -
g himds -
END
quietly lab systemd-sysusers "$dir/people"
example addresses
# What the sandbox forbids kills, so that nothing of it is missed here.
drop_in strict <<END
[Service]
SystemCallErrorNumber=kill
ExecStartPost=/usr/bin/mdcctl status
END

# --- starting ---

run lab systemctl start mdcd
ok "it starts" is "$status" 0
ok "mdcctl was answered as soon as it counted as started" property_is ExecStartPost '*status=0*'
ok "it is active" property_is ActiveState active
ok "it says what it does" wait_for property_is StatusText '1 machine in 1 subscription; *'
ok "its user is mdcd" is "$(lab stat -c %U "/proc/$(property MainPID)")" mdcd
ok "it has begun with its journal entry" told 'mdcd .* has started' \
	MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c301
lab journalctl --update-catalog
ok "which journalctl -x explains" told 'configuration in force has the digest [0-9a-f]\{64\}' \
	-x MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c301

# --- reload ---

main=$(property MainPID)
top='impact { machines = 8 }'
poll='subscriptions = 1d  machines = 1d'
configure
run lab systemctl reload mdcd
ok "a reload succeeds" is "$status" 0
in_force() { ctl config show | grep -q "$1"; }
ok "and is in force when it returns" in_force 'impact/machines = 8'
echo 'nonsense = 1' >"$dir/wrong.conf"
lab cp "$dir/wrong.conf" /etc/mdcd/mdcd.conf
run lab systemctl reload mdcd
ok "a reload with a wrong configuration fails" [ "$status" != 0 ]
ok "the log of the unit says why" told 'mdcd.conf:1: .*nonsense'
ok "an entry of its own says so, too" told 'previous one stays in force' \
	MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c311
ok "its status goes on to say so" wait_for property_is StatusText 'the last reload failed; 1 machine *'
ok "it stays active" property_is ActiveState active
ok "with the one before" in_force 'impact/machines = 8'
configure
lab systemctl kill --kill-who=main -s HUP mdcd
reloaded_twice() { [ "$(journal MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c310 | wc -l)" = 2 ]; }
ok "SIGHUP reloads as well" wait_for reloaded_twice
poll='subscriptions = 1s  machines = 1s  operations = 1s  jitter = 0%'
ok "then the status is as before" wait_for property_is StatusText '1 machine *'
ok "all by the same process" is "$(property MainPID)" "$main"

# --- who may do what ---

as looker mdcctl status
ok "the group mdcd may look" is "$status" 0
as looker mdcctl pause all --reason test
ok "but not change" is "$status" 1
ok "it is told who may" has "$dir/run.err" 'group mdcd-admin'
as changer mdcctl pause all --reason test
ok "the group mdcd-admin may change" is "$status" 0
ok "who did is in the journal" told 'paused by changer' \
	MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c315
as changer mdcctl resume all
ok "and change it back" is "$status" 0
as stranger mdcctl status
ok "others may not look" is "$status" 1
ok "they are told who may" has "$dir/run.err" 'group mdcd'
as stranger cat /var/lib/mdcd/state.db
ok "nor read the state" is "$status" 1
as stranger cat /etc/mdcd/mdcd.conf
ok "nor the configuration" is "$status" 1
as changer cat /etc/mdcd/credentials/client-secret
ok "no secret is readable to who may change" is "$status" 1

# --- the sandbox ---

run lab systemd-analyze security --threshold=12 mdcd.service
ok "its exposure is at most 1.2" is "$status" 0
inside() { # inside COMMAND...: what the daemon's mounts allow to its user
	quietly lab nsenter -t "$(property MainPID)" -m -- \
		setpriv --reuid mdcd --regid mdcd --clear-groups "$@"
}
ok "it may write its state" inside touch /var/lib/mdcd/test
ok "it may write nothing else" is "$(for place in / /etc /etc/mdcd /usr /var /var/lib /var/log /opt \
	/srv /root /home /run /dev /sys /proc; do
	inside touch "$place/test" && echo "$place"
done)" ""
writable() { # by root, too, which the mounts do not let through
	quietly lab nsenter -t "$(property MainPID)" -m -- touch "$1/test"
}
ok "nor would root with its mounts" is "$(for place in / /etc /usr /var /var/lib /opt; do
	writable $place && echo $place
done)" ""
lab touch /tmp/of-others /root/of-others
ok "its /tmp is its own" not inside ls /tmp/of-others
ok "homes are not there" not inside ls /root/of-others
ok "it has no capability" is "$(of_main CapEff)/$(of_main CapBnd)" \
	0000000000000000/0000000000000000
ok "it gets none" is "$(of_main NoNewPrivs)" 1
ok "its system calls are filtered" is "$(of_main Seccomp)" 2

# --- the watchdog, and other ends that are none ---

restarts() { property_is NRestarts "$1" && property_is SubState running && quietly ctl status; }
drop_in quick <<END
[Service]
WatchdogSec=1s
RestartSec=50ms
END
run lab systemctl restart mdcd
ok "it restarts" is "$status" 0
main=$(property MainPID)
lab systemctl kill --kill-who=main -s STOP mdcd
ok "one that hangs is ended and started again" wait_for restarts 1
ok "by the watchdog" told 'Watchdog timeout'
ok "it is another process" [ "$(property MainPID)" != "$main" ]
lab systemctl kill --kill-who=main -s KILL mdcd
ok "one that is killed is started again" wait_for restarts 2
no_drop_in quick
lab cp "$dir/wrong.conf" /etc/mdcd/mdcd.conf
run lab systemctl restart mdcd
ok "with a wrong configuration it does not start" [ "$status" != 0 ]
ok "with status 78" property_is ExecMainStatus 78
ok "and is not tried again" property_is "ActiveState" failed
ok "not even later" property_is NRestarts 0
ok "the journal says which line" told 'mdcd.conf:1: .*nonsense' \
	MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c312
configure

# --- credentials ---

lab systemctl reset-failed mdcd
lab chown root:root /etc/mdcd/credentials/client-secret
example credentials
proof='method = client-secret  secret-file = "/run/credentials/mdcd.service/client-secret"'
configure
run lab systemctl start mdcd
ok "it starts with a credential of systemd's" is "$status" 0
signed_in() { status_is '$pass{machines}{ended} && !$token_error'; }
ok "it signs in with it" wait_for signed_in
ok "which it could not read otherwise" not inside cat /etc/mdcd/credentials/client-secret
lab chown root:mdcd /etc/mdcd/credentials/client-secret
no_drop_in credentials

# --- the identity of an Arc machine ---

lab mkdir -p /var/opt/azcmagent/tokens
lab mount --bind "$dir/tokens" /var/opt/azcmagent/tokens
lab chown root:himds "$dir/tokens"
lab chmod 2750 "$dir/tokens"
drop_in agent <<END
[Service]
Environment=IDENTITY_ENDPOINT=$AZSIM_HIMDS/metadata/identity/oauth2/token IMDS_ENDPOINT=x
END
known=$client
client='' proof='method = arc-managed-identity'
configure
run lab systemctl restart mdcd
ok "it starts with the identity of an Arc machine" is "$status" 0
refused_key() { status_is '$token_error'; }
ok "without the group himds it gets no token" wait_for refused_key
example himds
run lab systemctl restart mdcd
ok "it starts with the drop-in for himds" is "$status" 0
ok "then it signs in" wait_for signed_in
no_drop_in himds
no_drop_in agent
client=$known proof=$by_file
ok "azsim's verdict is good" verdict_of_azsim

# --- the end, with much under way ---

start_azsim --generate "subscriptions=2,machines=300,linux=40%,legacy=0,deployer=off,plan=P2,$(
)integration=on,unified=on,throttling=off,pace=10,lag=1s"
AZSIM_CA=/etc/mdcd/ca.pem
top='max-in-flight = 200' mode=enforce
configure
run lab systemctl stop mdcd
ok "a stop is a success" property_is Result success
ok "which takes the socket away" not lab test -e /run/mdcd
ok "and leaves the state" quietly lab test -s /var/lib/mdcd/state.db
lab sh -c 'rm -r /var/lib/mdcd/*'
run lab systemctl start mdcd
ok "it starts with another estate" is "$status" 0
ok "its status says that it waits to be confirmed" \
	wait_for property_is StatusText '*waits for mdcctl confirm; *'
confirm
under_load() { status_is '$s->{operations}{running} >= 100'; }
ok "a hundred operations run" wait_for under_load
started=$(date +%s)
run lab systemctl stop mdcd
ok "it stops under load" is "$status" 0
ok "by itself" property_is Result success
ok "with status 0" property_is ExecMainStatus 0
ok "long before it would be killed" [ $(($(date +%s) - started)) -le 20 ]
ok "the journal says what runs on" told 'stopping: [0-9]* operations run on in Azure' \
	MESSAGE_ID=0d9c1a5be2f34c0a8b6f5d1e7a40c302
ok "azsim's verdict is good under load" verdict_of_azsim
finish
