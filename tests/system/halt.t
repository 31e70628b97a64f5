#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The halt, given while writes go out: not one begins after it, those that run are watched to their
# end, and neither a stop, a crash nor a second daemon gets past it.
. "${0%/*}/lib.sh"
needs perl
needs_programs

machines=300
start_azsim --generate "subscriptions=3,machines=$machines,linux=40%,legacy=0,deployer=off,plan=P2,$(
)integration=on,unified=on,throttling=off,pace=60,lag=1s"
top='max-in-flight = 20'
write_config
start_mdcd
confirm
writes() { requests '"method":"PUT".*/extensions/'; }
many() { [ "$(writes)" -ge 40 ]; }
none_runs() { status_is '$s->{operations}{running} == 0'; }
ok "writes go out" wait_for many
run ctl halt --reason 'stop it'
ok "halt is status 0" is "$status" 0
at_halt=$(writes)
ok "it leaves its marker" [ -s "$dir/state/halt" ]
ok "status tells it" status_is '$s->{writes}{halted}'
ok "work was left" [ "$at_halt" -lt $machines ]
ok "what runs is watched to its end" wait_for none_runs
# The answer to halt and the log of requests cross on their way: what was on the wire arrives.
ok "no more was sent than was on its way" [ "$(writes)" -le $((at_halt + 20)) ]
after=$(writes)
looked=$(requests '"path":"/providers/Microsoft.ResourceGraph')
looks_on() { [ "$(requests '"path":"/providers/Microsoft.ResourceGraph')" -gt $((looked + 3)) ]; }
ok "it goes on to observe" wait_for looks_on
ok "and writes nothing" is "$(writes)" "$after"

stop_mdcd
start_mdcd
ok "the halt outlives a stop" status_is '$s->{writes}{halted}'
end KILL "$mdcd"
start_mdcd
ok "and a crash" status_is '$s->{writes}{halted}'
run_mdcd
ok "a second daemon on its state is refused" is "$status" 1
ok "it is told who is there" has "$dir/run.err" "$dir/state.* $mdcd (mdcd)"
run_mdcd --once --yes
ok "so is --once with --yes" is "$status" 1
ok "the marker is still there" [ -s "$dir/state/halt" ]
looked=$(requests '"path":"/providers/Microsoft.ResourceGraph')
ok "it observes again" wait_for looks_on
ok "still nothing was written" is "$(writes)" "$after"
stop_mdcd
run_mdcd --once --yes
ok "--once with --yes does not get past it either" [ "$status" != 0 ]
ok "nothing was written by it" is "$(writes)" "$after"

start_mdcd
ok "unhalt" quietly ctl unhalt
ok "then everything comes into sync" wait_for settled
stop_mdcd
ok "azsim's verdict is good" verdict_of_azsim
ok "each machine was written to once" is "$(writes)" $machines
finish
