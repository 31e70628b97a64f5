#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mdcd, mdcctl and azsim as processes, over TLS: from an estate without protection to one that is
# protected, by the daemon and by single runs.
. "${0%/*}/lib.sh"
needs curl openssl perl
needs_programs

bare='subscriptions=2,machines=24,linux=40%,legacy=0,deployer=off,pace=500,lag=1s'
# In step with the daemon's clock: a plan that was switched on in the future would be waited for.
start_azsim --generate "$bare" --time-scale 1
writes() { requests '"method":"\(PUT\|PATCH\|DELETE\|POST\)","host":"localhost".*"path":"/sub'; }

# --- a single look ---

mode=observe
write_config
run_mdcd --once
ok "--once in observe finds drift" is "$status" 2
ok "it says what it saw" has "$dir/run.err" '2 subscriptions, 24 machines'
ok "it has written nothing" is "$(writes)" 0
ok "it opens no control socket" not [ -e "$control" ]

# --- the daemon ---

mode=enforce
write_config
start_mdcd
ok "it waits to be confirmed" wait_for status_is '$s->{writes}{unconfirmed}{machines} == 24'
run ctl plan
ok "a plan with changes is status 2" is "$status" 2
ok "it says what holds them back" has "$dir/run.out" confirm
ok "nothing was written so far" is "$(writes)" 0
ok "confirm answers" quietly ctl confirm --yes
ok "everything comes into sync" wait_for settled
run ctl plan
ok "a plan without changes is status 0" is "$status" 0
ok "each machine's sensor is in sync" is "$(count --control mde-extension)" \
	"$(count --control mde-extension --state compliant)"
run ctl explain srv-000001
ok "a machine is explained by its name" has "$dir/run.out" 'mde-extension.*compliant'
run ctl history --limit 5
ok "the history tells of it" has "$dir/run.out" compliant

run_mdcd
ok "a second daemon on the state is refused" is "$status" 1
ok "it is told who holds it" has "$dir/run.err" "$dir/state.* $mdcd (mdcd)"
run_mdcd --once
ok "--once beside the daemon is refused" is "$status" 1
ok "it, too, is told" has "$dir/run.err" "$dir/state.* $mdcd (mdcd)"
ok "the daemon was not disturbed" quietly ctl status

# --- signals ---

poll='subscriptions = 1d  machines = 1d'
write_config
ok "a reload answers" quietly ctl reload
idle() { # nothing is due before tomorrow
	status_is '!grep { !$pass{$_}{due} } qw(subscriptions machines)'
}
ok "then it rests" wait_for idle
before=$(requests '"path":"/providers/Microsoft.ResourceGraph')
kill -USR1 "$mdcd"
looked_again() {
	[ "$(requests '"path":"/providers/Microsoft.ResourceGraph')" -gt "$before" ]
}
ok "SIGUSR1 makes it look at once" wait_for looked_again

stop_mdcd
ok "SIGTERM ends it with status 0" is "$status" 0
ok "it says that it stops" has "$dir/mdcd.err" stopping
ok "its control socket is gone" not [ -e "$control" ]
run ctl status
ok "mdcctl without a daemon is status 1" is "$status" 1
ok "it says so" has "$dir/run.err" "mdcd.*not running\|is mdcd running"
start_mdcd
end INT "$mdcd"
ok "SIGINT ends it as well" is "$status" 0

before=$(writes)
run_mdcd --once
ok "--once in sync is status 0" is "$status" 0
ok "what is in sync is not written again" is "$(writes)" "$before"
ok "azsim's verdict is good" verdict_of_azsim
ok "all machines are protected" is "$(json machines.protectedAfter <"$dir/verdict")" 24

# --- corrections by --once ---

rm -r "$dir/state"
start_azsim --generate "$bare,plan=P2,integration=on,unified=on"
poll='subscriptions = 1s  machines = 1s  operations = 1s'
all_policies=$policy
policy='plan = P2  integration = on  unified-solution = on'
write_config
start_mdcd
confirm
ok "without extensions all is in sync" wait_for settled
stop_mdcd
policy=$all_policies
write_config
run_mdcd --once
ok "--once in enforce corrects, waits, and is in sync" is "$status" 0
ok "azsim's verdict on that is good" verdict_of_azsim
ok "the machines are protected" is "$(json machines.protectedAfter <"$dir/verdict")" 24

run_mdcd --once
ok "--once without Azure is status 1" is "$status" 1
ok "it says why" has "$dir/run.err" 'incomplete.*no connection'
start_mdcd
ok "the daemon without Azure answers, and says why" wait_for status_is '$pass{subscriptions}{first_problem} =~ /connection/'
stop_mdcd
ok "it ends as asked" is "$status" 0
finish
