#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The configuration as an operator meets it: mdcd --check, starting with a wrong one, and reloading
# by SIGHUP and by mdcctl. A wrong file never replaces a good one that is in force.
. "${0%/*}/lib.sh"
needs curl openssl perl
needs_programs

start_azsim --generate 'subscriptions=2,machines=10,lag=1s'
mode=observe
write_config

# --- testing it ---

run_mdcd --check
ok "a good one is status 0" is "$status" 0
ok "it is named, and called good" has "$dir/run.out" "$dir/mdcd.conf: good"
ok "testing makes no state" not [ -e "$dir/state" ]

poll='subscriptions = 1s  machins = 1s  operations = soon'
mode=force
write_config "$dir/wrong.conf"
wrong_are_named() { # wrong_are_named FILE: both lines of the option's and of the mode's
	for word in machins soon force; do
		line=$(grep -n "$word" "$dir/wrong.conf" | cut -d: -f1)
		has "$1" "wrong.conf:$line: .*\"$word\"" || return 1
	done
}
run "$build/mdcd" --check --config "$dir/wrong.conf"
ok "a wrong one is status 78" is "$status" 78
ok "all its errors are told at once, with file and line" wrong_are_named "$dir/run.err"
ok "it is told what could be written instead" has "$dir/run.err" 'observe or enforce'
run "$build/mdcd" --config "$dir/wrong.conf"
ok "starting with it is status 78" is "$status" 78
ok "and tells the same" wrong_are_named "$dir/run.err"
run "$build/mdcd" --once --config "$dir/wrong.conf"
ok "so is --once" is "$status" 78
run "$build/mdcctl" config check "$dir/wrong.conf"
ok "mdcctl config check is the same test" is "$status" 78
ok "and says the same" wrong_are_named "$dir/run.err"

run "$build/mdcd" --check --config "$dir/none.conf"
ok "one that is not there is status 78" is "$status" 78
ok "it is named" has "$dir/run.err" "$dir/none.conf.*No such file"
printf 'scope "x" {\n' >"$dir/open.conf"
run "$build/mdcd" --check --config "$dir/open.conf"
ok "one that ends too early is status 78" is "$status" 78
ok "it says where" has "$dir/run.err" 'open.conf:[12]: error'
printf 'log = "${MDCD_UNHEARD_OF}"\n' >"$dir/unset.conf"
run "$build/mdcd" --check --config "$dir/unset.conf"
ok "a variable that is not set is status 78" is "$status" 78
ok "it is named with its line" has "$dir/run.err" 'unset.conf:1: .*MDCD_UNHEARD_OF'
head -c 3000000 /dev/urandom >"$dir/random.conf"
run "$build/mdcd" --check --config "$dir/random.conf"
ok "random bytes are status 78" is "$status" 78

mkdir "$dir/conf.d"
echo 'impact { machines = 7 }' >"$dir/conf.d/20-impact.conf"
echo 'nonsense = 1' >"$dir/conf.d/10-wrong.conf"
run_mdcd --check
ok "files beside it are read, too" has "$dir/run.err" 'conf.d/10-wrong.conf:1: .*nonsense'
mv "$dir/conf.d/10-wrong.conf" "$dir/conf.d/10-wrong.conf.off"
run_mdcd --check
ok "those with another ending are not" is "$status" 0

for misuse in --unheard-of '--check --once' word '--timeout soon' '--log nowhere'; do
	# shellcheck disable=SC2086
	run_mdcd $misuse
	ok "refused: mdcd $misuse" is "$status" 1
	ok "it points to the help: mdcd $misuse" has "$dir/run.err" 'mdcd --help'
done

# --- reloading it ---

start_mdcd
in_force() { ctl config show | grep -q "$1"; }
ok "the files beside it are in force" in_force 'impact/machines = 7'
told() { grep -q "$1" "$dir/mdcd.err"; }

sed 's/machines = 7/machines = 8/' -i "$dir/conf.d/20-impact.conf"
kill -HUP "$mdcd"
ok "SIGHUP puts a new one in force" wait_for in_force 'impact/machines = 8'
ok "the log says what changed" wait_for told 'reloaded.*impact/machines: 7 -> 8'
sed 's/machines = 8/machines = 9/' -i "$dir/conf.d/20-impact.conf"
run ctl reload
ok "mdcctl reload is status 0" is "$status" 0
ok "it says what changed" has "$dir/run.out" 'impact/machines: 8 -> 9'
run ctl reload
ok "nothing changed is status 0, too" is "$status" 0

cp "$dir/mdcd.conf" "$dir/good.conf"
cp "$dir/wrong.conf" "$dir/mdcd.conf"
wrong_are_told() { # as above, under the name that the daemon reads
	sed 's,/mdcd.conf:,/wrong.conf:,g' "$1" >"$dir/told"
	wrong_are_named "$dir/told"
}
kill -HUP "$mdcd"
ok "SIGHUP with a wrong one is told as failed" wait_for told 'not reloaded.*mdcd.conf:[0-9]*: '
ok "the good one stays" in_force 'impact/machines = 9'
run ctl reload
ok "mdcctl reload with a wrong one is status 1" is "$status" 1
ok "it tells all errors with file and line" wrong_are_told "$dir/run.err"
ok "it says how to test it" has "$dir/run.err" 'mdcd --check'
ok "the good one stays again" in_force 'impact/machines = 9'
cp "$dir/good.conf" "$dir/mdcd.conf"
run ctl reload
ok "mended, it is reloaded" is "$status" 0

sed "s,^control-socket.*,control-socket = \"$dir/other.sock\"," -i "$dir/mdcd.conf"
run ctl reload
ok "what needs a restart is accepted" is "$status" 0
ok "and said" has "$dir/run.out" 'control-socket.*after a restart'
ok "the socket is where it was" quietly ctl status
i=0
while [ $i -lt 50 ]; do
	kill -HUP "$mdcd"
	i=$((i + 1))
done
ok "fifty reloads in a row do no harm" wait_for quietly ctl status
stop_mdcd
ok "it ends as asked" is "$status" 0
ok "azsim's verdict is good" verdict_of_azsim
ok "nothing was written" is "$(json writes.all <"$dir/verdict")" 0
finish
