#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The end of mdcd at the worst of times, with hundreds of operations under way: it ends soon, and
# after the next start it sends nothing twice and loses nothing.
. "${0%/*}/lib.sh"
needs perl
needs_programs

machines=400
estate="subscriptions=5,machines=$machines,linux=40%,legacy=0,deployer=off,plan=P2,integration=on"
estate="$estate,unified=on,throttling=off,pace=10,lag=1s"
poll='subscriptions = 1d  machines = 2s  operations = 1s'
top='max-in-flight = 200'

under_load() { # hundreds run, sent by this process
	status_is '$s->{operations}{running} >= 150 && $s->{operations}{sent} >= 150'
}
writes() { requests '"method":"PUT".*/extensions/'; }
written_twice() {
	sed -n 's/.*"method":"PUT".*"path":"\([^"]*\)".*/\1/p' "$dir/requests" | sort | uniq -d | head -n 5
}
compliant() { count --control mde-extension --state compliant; }

# --- asked to stop ---

start_azsim --generate "$estate"
write_config
start_mdcd
confirm
ok "hundreds of operations run" wait_for under_load
started=$(date +%s)
stop_mdcd
ok "SIGTERM under load ends it with status 0" is "$status" 0
ok "within seconds" [ $(($(date +%s) - started)) -le 20 ]
ok "it left work to do" [ "$(writes)" -lt $machines ]
start_mdcd
ok "it knows what runs" [ "$(operations)" -gt 0 ]
ok "it brings the rest into sync" wait_for settled
ok "each machine's sensor is there" is "$(compliant)" $machines
stop_mdcd
ok "azsim's verdict is good" verdict_of_azsim
ok "each machine was written to once" is "$(writes)" $machines
ok "all machines are protected" is "$(json machines.protectedAfter <"$dir/verdict")" $machines

# --- killed ---

rm -r "$dir/state"
start_azsim --generate "$estate"
write_config
start_mdcd
confirm
ok "hundreds of operations run again" wait_for under_load
kill -KILL "$mdcd"
leave "$mdcd"
ok "it left work to do" [ "$(writes)" -lt $machines ]
ok "and its control socket" [ -S "$control" ]
run ctl status
ok "mdcctl says that nobody is there" has "$dir/run.err" "not running\|is mdcd running"
ok "the crash was under load" [ "$(writes)" -ge 150 ]

start_mdcd
# An intent that was stored and not sent looks like one whose answer was lost: it is held until its
# deadline, since an extension that is being created may not be visible.
all_but_held() {
	held=$(count --control mde-extension --state applying)
	[ "$(compliant)" = "$(writes)" ] && [ $((held + $(writes))) = "$machines" ]
}
ok "after the crash all that was not under way comes into sync" wait_for all_but_held
ok "no more is held than was under way between disk and wire" [ "$held" -le 64 ]
stop_mdcd
ok "azsim's verdict is good after the crash" verdict_of_azsim
ok "no machine was written to twice" is "$(written_twice)" ""
ok "those written to are protected" is "$(json machines.protectedAfter <"$dir/verdict")" "$(writes)"
finish
