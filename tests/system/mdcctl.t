#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mdcctl as people and scripts use it, and what mdcd says on the command line, as real processes
# against azsim. Loopback only.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
dir=$(mktemp -d "${TMPDIR:-/tmp}/mdcctl.XXXXXX") || exit 1
azsim='' mdcd='' count=0

finish() {
	[ -z "$mdcd" ] || kill -KILL "$mdcd" 2>/dev/null
	[ -z "$azsim" ] || kill -KILL "$azsim" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

ok() { # NAME COMMAND...: the command decides
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then echo "ok $count - $name"; else
		echo "not ok $count - $name"
		echo "# $*"
		sed 's/^/# out: /' "$dir/out"
		sed 's/^/# err: /' "$dir/err"
	fi
}
# What a command says and how it ends: run STATUS COMMAND...
run() {
	wanted=$1
	shift
	"$@" >"$dir/out" 2>"$dir/err" </dev/null
	status=$?
	[ $status = "$wanted" ] || { echo "# status $status, not $wanted"; false; }
}
out() { grep -q -e "$1" "$dir/out"; }
err() { grep -q -e "$1" "$dir/err"; }
silent() { [ ! -s "$dir/out" ]; }
quiet() { [ ! -s "$dir/err" ]; }
ctl() { "$build/mdcctl" "$@"; }
# refused STATUS PATTERN ARGUMENT...: nothing on stdout, the reason on stderr
refused() {
	wanted=$1 pattern=$2
	shift 2
	run "$wanted" "$build/mdcctl" "$@" && silent && err "$pattern"
}
wait_for() { # a few seconds at most, by tries and not by the clock
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.05
	done
}

export MDCCTL_SOCKET="$dir/control.sock" DEMO_DIR="$dir"
: >"$dir/out"
: >"$dir/err"

# --- without a daemon ---

ok "without a daemon it says so, and what helps" refused 1 "mdcd is not running" status
ok "help goes to stdout" run 0 "$build/mdcctl" --help
ok "and is complete" out "^  confirm \[--yes\]"
ok "help is a word, too" run 0 "$build/mdcctl" help
ok "no command is a mistake" refused 1 "a command is missing"
ok "a command that was meant is named" refused 1 'did you mean "status"' staus
ok "an option that was meant is named" refused 1 "did you mean --state" list --sate blocked
ok "an option of another command is refused" refused 1 "status takes no --scope" status --scope x
ok "so is one without its value" refused 1 "wants a value" list --limit
ok "and a value that is none" refused 1 "wants a number" list --limit many
ok "an empty name is not everything" refused 1 "not empty" reconcile ""
ok "a name too many is refused" refused 1 "unexpected argument" explain a b
ok "a form that is none is refused" refused 1 "table, wide, name, json or csv" -o yaml list
ok "names are of lists only" refused 1 "has no names" -o name status
ok "a socket that cannot be is an error" refused 1 "too long" -s "/$(printf '%0200d' 0)" status

printf 'nonsense = 1\nscope "x" { mode = perhaps }\n' >"$dir/bad.conf"
ok "a configuration is checked without a daemon" run 78 "$build/mdcctl" config check "$dir/bad.conf"
ok "with every error" err "bad.conf:1: error"
ok "mdcd ends with 78 on it" run 78 "$build/mdcd" --config "$dir/bad.conf"
ok "and says it on stderr when nobody keeps a journal of that" err "is not a valid configuration"
ok "so does mdcd for a file that is not there" run 78 "$build/mdcd" --config "$dir/none.conf"
ok "mdcd refuses what does not go together" run 1 "$build/mdcd" --yes --config "$dir/bad.conf"
ok "naming what does" err "mdcctl confirm"

# --- manual and completion ---

each_is_in() { # FILE WORD...: says which is not
	file=$1 bad=
	shift
	for word in "$@"; do grep -q -e "$word" "$file" || bad="$bad $word"; done
	[ -z "$bad" ] || { echo "# not in $file:$bad"; false; }
}
commands=$(ctl --help | sed -n 's/^  \([a-z][a-z]*\).*/\1/p' | sort -u)
options=$(ctl --help | grep -v 'mdcd --check' | grep -oE -e '--[a-z]+' | sort -u)
states=$(sed -n 's/^	STATE([A-Z]*, "\([a-z]*\)".*/\1/p' lib/model/item.h)
controls=$(sed -n 's/^	CONTROL([A-Z_]*, "\([a-z-]*\)").*/\1/p' lib/model/item.h)
# shellcheck disable=SC2086
ok "the completion knows each command, option, state and control" each_is_in \
	conf/mdcctl.bash-completion $commands $options $states $controls
# shellcheck disable=SC2086
ok "the manual knows each command, option and state" each_is_in conf/mdcctl.1 $commands \
	$(echo "$options" | sed 's/^-//') $states

# --- with one ---

mkdir "$dir/tls"
printf estate-secret >"$dir/secret"
"$build/azsim" --listen localhost:0 --tls-dir "$dir/tls" --seed 3 --ready-file "$dir/azsim.env" \
	--generate "subscriptions=2,machines=12,blocked=20%,unreached=100%,lag=0s,pace=1000" \
	>"$dir/azsim.out" 2>&1 &
azsim=$!
wait_for test -s "$dir/azsim.env"
# shellcheck disable=SC1091
. "$dir/azsim.env"
export AZSIM_ARM AZSIM_LOGIN AZSIM_CA
sed 's/first-grace = 25s/first-grace = 1h/' conf/demo.conf >"$dir/mdcd.conf"
"$build/mdcd" --config "$dir/mdcd.conf" >"$dir/mdcd.out" 2>"$dir/mdcd.log" &
mdcd=$!
# As early as can be: it is a reload, or nothing, and never the end. Before main() has begun nobody
# can do anything about it.
takes_signals() {
	[ "$(cat /proc/$mdcd/comm)" = mdcd ] && grep -qE '^Sig(Blk|Cgt|Ign):.*[13579bdf]$' /proc/$mdcd/status
}
wait_for takes_signals
kill -HUP $mdcd
ok "a hang-up during the start does not end it" wait_for test -S "$MDCCTL_SOCKET"
unconfirmed() { ctl status | grep -q ^UNCONFIRMED; }
ok "it observes, and waits for a person" wait_for unconfirmed

ok "status is for people" run 0 "$build/mdcctl" status
ok "with what to do next" out "^next  *mdcctl confirm"
ok "a plan with changes is 2" run 2 "$build/mdcctl" plan
ok "its last line counts" sh -c "tail -n 1 '$dir/out' | grep -q '^Plan: 0 to correct now, 2 held'"
ok "the same for programs" run 2 "$build/mdcctl" --json plan
ok "which is JSON" sh -c "command -v python3 >/dev/null || exit 0; python3 -m json.tool <'$dir/out' >/dev/null"
ok "options stand anywhere" run 2 "$build/mdcctl" plan --json
ok "confirm shows what it is about and asks, or says how to do without" \
	run 1 "$build/mdcctl" confirm
ok "on stderr" err "mdcctl confirm --yes"
ok "having shown it" out "2 subscriptions with 12 machines"
ok "nothing is allowed by that" unconfirmed
if script -qec true /dev/null >/dev/null 2>&1; then
	echo n | script -qec "$build/mdcctl confirm" /dev/null >"$dir/out" 2>&1
	ok "a no is a no" unconfirmed
	echo y | script -qec "$build/mdcctl confirm" /dev/null >"$dir/out" 2>&1
else
	ok "a no is a no # SKIP no terminal can be made here" true
	ctl confirm --yes >"$dir/out" 2>&1
fi
ok "a yes is a yes" sh -c "! '$build/mdcctl' status | grep -q ^UNCONFIRMED"
ok "and again there is nothing to confirm" run 0 "$build/mdcctl" confirm
ok "as it says" out "nothing waits for confirmation"

ok "names are one a line, for other commands" run 0 "$build/mdcctl" list --control arc-connected -o name
ok "each once" sh -c "[ \$(wc -l <'$dir/out') = 12 ] && [ \$(sort -u '$dir/out' | wc -l) = 12 ]"
machine=$(head -n 1 "$dir/out")
ok "a machine is explained by its id" run 0 "$build/mdcctl" explain "$machine"
ok "and by its name" run 0 "$build/mdcctl" explain "${machine##*/}"
ok "what is not there is refused with what helps" refused 1 "what helps: mdcctl list" explain nobody
ok "a state that is none is refused with the one that was meant" \
	refused 1 'did you mean "blocked"' list --state bloked
ok "rows are counted on stderr, so that stdout can be counted" run 0 "$build/mdcctl" list -n 2
ok "as here" err "more: --limit"
ok "two rows and a title" sh -c "[ \$(wc -l <'$dir/out') = 3 ]"
ok "no colour in a pipe" sh -c "! grep -q '\033' '$dir/out'"
ok "history" run 0 "$build/mdcctl" history -n 3
ok "config show" run 0 "$build/mdcctl" config show
ok "with defaults" out "^impact/machines = 100"
ok "a full disk is an error" sh -c "! '$build/mdcctl' status >/dev/full 2>'$dir/err'"
ok "that is told" err "stdout"
ok "a reader that goes away is none of our business" \
	sh -c "'$build/mdcctl' list -n all | head -n 1 >/dev/null"

ok "pause" run 0 "$build/mdcctl" pause demo --reason "change freeze"
ctl status >"$dir/out"
ok "is in the status with its reason" out "^PAUSED .*change freeze"
ok "resume" run 0 "$build/mdcctl" resume demo
ok "twice is refused" refused 1 "is not paused" resume demo
ok "halt" run 0 "$build/mdcctl" halt --reason test
ok "leaves a marker" test -s "$dir/state/halt"
ok "unhalt" run 0 "$build/mdcctl" unhalt
ok "reload" run 0 "$build/mdcctl" reload
printf 'nonsense = 1\n' >>"$dir/mdcd.conf"
ok "with an error it is refused" refused 1 "nonsense" reload
ok "and tells what helps" err "mdcd --check"
sed 's/^nonsense.*//' "$dir/mdcd.conf" >"$dir/second.conf"
ok "a second daemon is refused" run 1 "$build/mdcd" --once --config "$dir/second.conf"
ok "naming the first" err "process $mdcd"

kill -TERM $mdcd
wait $mdcd
ended=$?
mdcd=
ok "a stop is 0" test $ended = 0
ok "and takes the socket away" test ! -e "$MDCCTL_SOCKET"
ok "--once tells in its status what it found" run 2 "$build/mdcd" --once --config "$dir/second.conf"
ok "and on stdout" out "12 machines in 2 subscriptions"

echo "1..$count"
