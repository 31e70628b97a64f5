# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the system tests share: TAP, a directory of their own, a simulated Azure, real daemons, and
# tidying up after all of them, whatever happens. A test begins with `. "${0%/*}/lib.sh"` and ends
# with `finish`. Nothing sleeps for a set time: wait_for asks again and again, for a long time.
set -u

here=$(cd "${0%/*}" && pwd) || exit 1
root=$(cd "$here/../.." && pwd) || exit 1
build=${BUILD:-build}
case $build in /*) ;; *) build=$root/$build ;; esac
dir=$(mktemp -d "${TMPDIR:-/tmp}/mdcd-system.XXXXXX") || exit 1
chmod 755 "$dir" # what is secret in it has modes of its own
tests=0
children=''
tidy=: # what a test has to undo besides

# --- the end, whatever it is ---

# Ends after the test, and tidies up where that was killed and could not.
guard() {
	: >"$dir/children"
	mkfifo "$dir/guard" || exit 1
	setsid sh -c '
		cat "$1/guard"
		[ -d "$1" ] || exit
		while read -r child; do kill -KILL "$child"; done <"$1/children"
		tries=0 # until the last process of its control groups has ended
		while [ -s "$1/cgroup" ] && [ -d "$(cat "$1/cgroup")" ] && [ $tries -lt 100 ]; do
			find "$(cat "$1/cgroup")" -depth -type d -exec rmdir {} +
			tries=$((tries + 1))
			sleep 0.05
		done
		[ -n "${KEEP:-}" ] || rm -rf "$1"' guard "$dir" </dev/null >/dev/null 2>&1 &
	exec 9>"$dir/guard"
}
note_children() {
	# shellcheck disable=SC2086
	printf '%s\n' $children >"$dir/children"
}
clean_up() {
	trap '' HUP INT TERM
	$tidy
	for child in $children; do
		kill -CONT "$child" 2>/dev/null
		kill -KILL "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	done
	: >"$dir/children"
	[ -n "${KEEP:-}" ] && echo "# kept: $dir" || rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
guard

finish() {
	echo "1..$tests"
	exit 0
}
skip_all() { # before the first test
	echo "1..0 # SKIP $1"
	exit 0
}
die() {
	tests=$((tests + 1))
	echo "not ok $tests - $1"
	for file in "$dir"/*.out "$dir"/*.err; do
		[ -s "$file" ] && diag "${file##*/}:" && tail -n 20 "$file" | sed 's/^/#   /'
	done
	exit 1
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

# --- TAP ---

ok() { # ok NAME COMMAND...: the command decides
	name=$1
	shift
	tests=$((tests + 1))
	if "$@"; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		diag "failed: $*"
	fi
}
skip() { # skip NAME REASON
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}
is() { [ "$1" = "$2" ] || { diag "got \"$1\", not \"$2\""; false; }; }
has() { # has FILE PATTERN
	grep -q -e "$2" "$1" || { diag "no \"$2\" in ${1##*/}:" && sed 's/^/#   /' "$1" && false; }
}
lacks() { ! grep -e "$2" "$1" | sed 's/^/# /' | grep .; }
not() { ! "$@"; }
quietly() { "$@" >/dev/null 2>&1; }

wait_for() { # wait_for COMMAND...: until it succeeds; for a minute at most, or PATIENCE tries
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt "${PATIENCE:-270}" ] || return 1
		if [ $tries -lt 20 ]; then sleep 0.05; else sleep 0.25; fi
	done
}

needs() { # needs TOOL...
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip_all "no $tool here"
	done
}
needs_programs() {
	for program in mdcd mdcctl azsim; do
		[ -x "$build/$program" ] || skip_all "$build/$program was not built"
	done
}

# --- processes ---

spawn() { # spawn NAME COMMAND...: in the background, its output to NAME.out and NAME.err; $child
	as=$1
	shift
	"$@" >"$dir/$as.out" 2>"$dir/$as.err" 9>&- &
	child=$!
	children="$children $child"
	note_children
}
is_alive() { # a child that ended and was not waited for is not
	read -r _ _ state _ 2>/dev/null <"/proc/$1/stat" && [ "$state" != Z ]
}
leave() { # leave PID: waits for its end, and leaves its exit status in $status
	wait_for not is_alive "$1" || kill -KILL "$1"
	wait "$1" 2>/dev/null # where the shell tells of signals
	status=$?
	kept=''
	for child in $children; do
		[ "$child" = "$1" ] || kept="$kept $child"
	done
	children=$kept
	note_children
}
end() { # end SIGNAL PID
	kill "-$1" "$2"
	leave "$2"
}
run() { # run COMMAND...: leaves its output in run.out and run.err, its exit status in $status
	spawn run "$@"
	leave "$child"
}

# --- the simulated Azure ---

# start_azsim OPTION...: sets $azsim, AZSIM_ARM, AZSIM_LOGIN, AZSIM_CA. Its answers take a fifth of
# their time, so that a test is not mostly waiting for them.
start_azsim() {
	rm -f "$dir/azsim.env" "$dir/requests"
	spawn azsim "$build/azsim" --listen "${listen:-localhost:0}" --tls-dir "$dir/tls" \
		--time-scale 5 --seed 3 --ready-file "$dir/azsim.env" --request-log "$dir/requests" \
		--verdict "$dir/verdict" "$@"
	azsim=$child
	wait_for azsim_is_ready || die "azsim does not serve"
	# shellcheck source=/dev/null
	. "$dir/azsim.env"
	export AZSIM_ARM AZSIM_LOGIN AZSIM_CA
}
azsim_is_ready() { [ -s "$dir/azsim.env" ] || not is_alive "$azsim"; }

# What azsim says about the run; ends it.
verdict_of_azsim() {
	end TERM "$azsim"
	is "$status" 0 || sed 's/^/# /' "$dir/azsim.out"
	is "$status" 0
}
json() { # json PATH: a value of the document on standard input, as in `json writes.repeated`
	perl -MJSON::PP -0777 -e '
		my $value = decode_json(<STDIN>);
		for (split /\./, $ARGV[0]) {
			$value = ref $value eq "ARRAY" ? $value->[$_] : $value->{$_};
		}
		print ref $value ? encode_json($value) : $value // "null", "\n";' "$1"
}
requests() { # requests PATTERN: how many it was asked; patterns match lines of the log
	grep -c -e "$1" "$dir/requests"
}

# --- the daemon ---

tenant=10000000-0000-4000-8000-000000000001
client=20000000-0000-4000-8000-000000000001
state_directory=$dir/state
control=$dir/control.sock

# A configuration for the simulated Azure. Tests change the parts before they write it.
proof="method = client-secret  secret-file = \"$dir/secret\""
log=stderr
top=''
mode=enforce
policy='plan = P2  integration = on  unified-solution = on
    extension { deploy = after-grace  grace = 0s  first-grace = 0s }'
poll='subscriptions = 1s  machines = 1s  operations = 1s  jitter = 0%'
scope=''
write_config() { # write_config [FILE]
	cat >"${1:-$dir/mdcd.conf}" <<END
state-directory = "$state_directory"
control-socket = "$control"
log = $log
$top
cloud "simulated" {
    login = "$AZSIM_LOGIN"
    resource-manager = "$AZSIM_ARM"
    audience = "https://management.azure.com"
    ca-file = "$AZSIM_CA"
}
identity "test" {
    cloud = simulated  tenant = "$tenant"  ${client:+client = \"$client\"}
    $proof
}
poll { $poll }
policy "servers" {
    $policy
}
scope "all" {
    identity = "test"  subscriptions = { "*" }  policy = "servers"  mode = $mode
    $scope
}
END
}
(umask 077 && printf estate-secret >"$dir/secret")

run_mdcd() { run "$build/mdcd" --config "$dir/mdcd.conf" "$@"; }
ctl() { "$build/mdcctl" --socket "$control" "$@"; }
start_mdcd() { # start_mdcd [OPTION...]: sets $mdcd; its log is mdcd.err
	spawn mdcd "$build/mdcd" --config "$dir/mdcd.conf" "$@"
	mdcd=$child
	wait_for mdcd_is_ready || die "mdcd does not answer"
	is_alive "$mdcd" || die "mdcd has ended"
}
mdcd_is_ready() { quietly ctl status || not is_alive "$mdcd"; }
stop_mdcd() { end TERM "$mdcd"; }

# status_is EXPRESSION: in Perl, on what `mdcctl --json status` answers: all of it in $s, passes by
# name in %pass, the states of all items in %states, why there is no token in $token_error. The
# answer stays in $dir/status.
status_is() {
	ctl --json status >"$dir/status" 2>/dev/null && perl -MJSON::PP -0777 -e '
		our $s = decode_json(<STDIN>);
		our %pass = map { $_->{pass} => $_ } @{$s->{passes}};
		our %states = map { %{$_->{states}} } @{$s->{scopes}};
		our $token_error = join(" ", map { $_->{error} // "" } @{$s->{client}{tokens}});
		my $holds = eval $ARGV[0];
		die $@ if $@;
		exit !$holds;' "$1" <"$dir/status"
}
count() { # count [--state STATE] [--control CONTROL]: how many items
	ctl --json list --limit 1 "$@" | json total
}
operations() { # how many it has sent that have not ended
	ctl --json status | json operations.running
}
observed() { status_is '$pass{machines}{ended}'; }
# Everything was looked at, and nothing moves or waits for its time.
settled() {
	status_is '$pass{machines}{ended} && $states{compliant} &&
		!grep { $states{$_} } qw(unknown drifted waiting queued applying settling)'
}
confirm() {
	wait_for status_is '$s->{writes}{unconfirmed}' || die "nothing waits for confirmation"
	quietly ctl confirm --yes || die "mdcctl confirm failed"
}
