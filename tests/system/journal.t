#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The log in a real journal: a journald of the test's own, asked by fields; the catalog; what happens
# when journald hangs or is gone; text that would like to be something else.
if [ -z "${OWN_MOUNTS:-}" ]; then
	own='unshare --mount --propagation private'
	[ "$(id -u)" = 0 ] || own="unshare --user --map-root-user ${own#unshare}"
	$own true 2>/dev/null || { echo '1..0 # SKIP no mount namespaces here'; exit 0; }
	OWN_MOUNTS=1 exec $own "$0"
fi
. "${0%/*}/lib.sh"
needs curl journalctl openssl perl
needs_programs
program=/lib/systemd/systemd-journald
[ -x $program ] || skip_all 'no systemd-journald here'
[ -s /etc/machine-id ] || skip_all 'no /etc/machine-id here'

mount -t tmpfs tmpfs /run && mount --bind /dev/null /dev/kmsg &&
	mount -t tmpfs tmpfs /var/lib/systemd/catalog && mkdir "$dir/catalog" &&
	mount --bind "$dir/catalog" /usr/lib/systemd/catalog || skip_all 'no mounts here'
mkdir -p /run/systemd/journald.conf.d /run/log/journal
cat >/run/systemd/journald.conf.d/test.conf <<'END'
[Journal]
Storage=volatile
RateLimitIntervalSec=0
ReadKMsg=no
Audit=no
END
cp "$root/systemd/mdcd.catalog" "$dir/catalog/"
journalctl --update-catalog || skip_all 'no catalog may be made here'
start_journald() {
	rm -f /run/systemd/journal/*socket* /run/systemd/journal/io.*
	spawn journald $program
	journald=$child
	wait_for [ -S /run/systemd/journal/io.systemd.journal ] || die 'journald does not start'
}
start_journald

# The kinds of entries by their names, as in daemon/log.h.
id_of() { sed -n "s/^	MESSAGE($1, \"\([0-9a-f]*\)\".*/\1/p" "$root/daemon/log.h"; }
journal() { # journal ARG...: of journalctl
	journalctl --sync
	journalctl -q -D /run/log/journal -t mdcd "$@"
}
entries() { journal -o json "$@" | wc -l; }
field() { # field NAME MATCH...: its values, one a line
	name=$1
	shift
	journal -o json --output-fields="$name" "$@" | FIELD=$name perl -MJSON::PP -ne '
		print decode_json($_)->{$ENV{FIELD}} // next, "\n"'
}
told() { # told PATTERN MATCH...
	pattern=$1
	shift
	journal -o cat "$@" | grep -q -e "$pattern"
}
# Numbers of transitions, as mdcd has stored them and as the journal has them. What an item is found
# as, having been unknown, is told together with others and needs no entry of its own.
stored() {
	ctl --json history --limit all | perl -MJSON::PP -0777 -ne '
		print "$_->{seq}\n" for sort { $a->{seq} <=> $b->{seq} }
			grep { $_->{kind} eq "transition" && $_->{from} ne "unknown" }
			@{decode_json($_)->{transitions}}'
}
transition=MESSAGE_ID=$(id_of TRANSITION)
in_journal() { field MDCD_SEQ "$transition" | sort -n; }
all_are_told() {
	stored >"$dir/stored"
	in_journal | uniq >"$dir/in-journal"
	[ -s "$dir/stored" ] && ! grep -qvxFf "$dir/in-journal" "$dir/stored"
}
answers() { # answers COMMAND: at once, compared with the watchdog's half minute
	timeout 10 "$build/mdcctl" --socket "$control" "$@" >/dev/null
}

# --- entries by their fields ---

machines=40
estate="subscriptions=2,machines=$machines,linux=40%,legacy=0,deployer=off,plan=P2,integration=on"
estate="$estate,unified=on,lag=1s,pace=500"
start_azsim --generate "$estate"
log=journal
write_config
start_mdcd
confirm
ok "everything comes into sync" wait_for settled
ok "nothing of it went to stderr" is "$(cat "$dir/mdcd.err")" ""
ok "each transition is in the journal by its number" wait_for all_are_told
ok "each once" is "$(in_journal | uniq -d)" ""
ok "the start is found by its id" told 'mdcd .* has started' MESSAGE_ID="$(id_of STARTED)"
ok "so are writes, one for each machine" is "$(entries MESSAGE_ID="$(id_of WRITE_SENT)")" $machines
ok "and passes" told 'machines: 2 subscriptions, 40 machines' MESSAGE_ID="$(id_of PASS)" \
	MDCD_PASS=machines
ok "a machine has the story of its sensor" is "$(field MDCD_TO "$transition" \
	MDCD_MACHINE=srv-000001 MDCD_CONTROL=mde-extension | tr '\n' ' ')" \
	"$(ctl --json history srv-000001 --limit all | perl -MJSON::PP -0777 -ne '
		print "$_->{to} " for reverse grep {
			$_->{kind} eq "transition" && $_->{from} ne "unknown" &&
			$_->{control} eq "mde-extension" } @{decode_json($_)->{transitions}}')"
ok "by resource id as well" [ "$(entries "$transition" MDCD_TO=compliant \
	MDCD_RESOURCE_ID="$(field MDCD_RESOURCE_ID "$transition" MDCD_MACHINE=srv-000001 | head -n 1)")" -ge 1 ]
ok "a scope finds all machines" \
	is "$(field MDCD_MACHINE "$transition" MDCD_SCOPE=all | sort -u | wc -l)" $machines
correlation=$(field MDCD_CORRELATION_ID MESSAGE_ID="$(id_of WRITE_SENT)" | head -n 1)
ok "the write and its transition share a correlation id" \
	[ "$(entries MDCD_CORRELATION_ID="$correlation")" -ge 2 ]
ok "which Azure knows" [ "$(requests "$correlation")" -ge 1 ]
ok "the confirmation names who gave it" told confirmed MESSAGE_ID="$(id_of CONFIRMED)"
ok "passes are for information" is "$(field PRIORITY MESSAGE_ID="$(id_of PASS)" | sort -u)" 6
ok "transitions are notices" is "$(field PRIORITY "$transition" MDCD_TO=compliant | sort -u)" 5

# --- the catalog ---

ok "each kind of entry has an explanation" \
	is "$(journalctl --list-catalog | cut -d' ' -f1 | sort)" \
	"$(sed -n 's/^	MESSAGE([A-Z_]*, "\([0-9a-f]*\)".*/\1/p' "$root/daemon/log.h" | sort)"
journal -x "$transition" MDCD_MACHINE=srv-000001 MDCD_TO=applying >"$dir/explained"
ok "journalctl -x explains a transition" has "$dir/explained" \
	'Subject: mde-extension on a resource: queued -> applying'
ok "with its resource" has "$dir/explained" 'resource  */subscriptions/.*/srv-000001$'
ok "and what to type" has "$dir/explained" 'mdcctl explain /subscriptions/.*/srv-000001$'
journal -x >"$dir/explained"
ok "no field is left unfilled in what is always said" lacks "$dir/explained" \
	'@MDCD_\(CONTROL\|FROM\|TO\|RESOURCE_ID\|SCOPE\|CONFIG_DIGEST\|PASS\|MACHINES\)@'

# --- a journald that hangs ---

listen=localhost:${AZSIM_ARM##*:}
drift() { # everything is as it was at the beginning
	end TERM "$azsim"
	start_azsim --generate "$estate"
}
before=$(in_journal | wc -l)
kill -STOP "$journald"
drift
again() { [ "$(requests '"method":"PUT".*/extensions/')" = $machines ]; }
ok "a journald that hangs: all is corrected again" wait_for again
ok "a journald that hangs: everything comes into sync" wait_for settled
ok "a journald that hangs: mdcctl is answered" answers status
kill -CONT "$journald"
ok "once it goes on, each transition is told" wait_for all_are_told
ok "each once, since they had only waited" is "$(in_journal | uniq -d)" ""
ok "and there were more than journald's socket holds" [ "$(in_journal | wc -l)" -gt $((before + 50)) ]

# --- one that hangs until the end ---

kill -STOP "$journald"
drift
undone() { status_is '($states{manual} // 0) + ($states{blocked} // 0) == 40'; }
ok "what is undone twice is left to people" wait_for undone
started=$(date +%s)
stop_mdcd
ok "a journald that hangs: SIGTERM ends it with status 0" is "$status" 0
ok "within seconds" [ $(($(date +%s) - started)) -le 20 ]
kill -CONT "$journald"
start_mdcd
ok "what was not delivered is told after the next start" wait_for all_are_told
told=$(field MDCD_SEQ MDCD_REPLAYED=yes | head -n 1)
ok "as told again" [ -n "$told" ]
ok "with when it was" quietly sh -c "echo '$(field MDCD_AT MDCD_SEQ="$told")' | grep '^20..-..-..T'"
ok "with its machine, states and reason" is "$(for name in MACHINE CONTROL FROM TO REASON; do
	field MDCD_$name MDCD_SEQ="$told" | head -n 1
done | wc -l)" 5

# --- one that is gone ---

ok "what is left to people is still theirs after a restart" wait_for undone
end KILL "$journald"
for machine in $(ctl list --control mde-extension --limit all --output name); do
	quietly ctl reconcile "$machine" || die 'mdcctl reconcile failed'
done
of_stderr() { grep -q 'srv-000001: mde-extension .* -> compliant' "$dir/mdcd.err"; }
ok "without a journald it tells stderr" wait_for of_stderr
ok "without a journald everything comes into sync" wait_for settled
end KILL "$mdcd"
start_journald
start_mdcd
ok "once there is one, all that it lacks is told" wait_for all_are_told
stop_mdcd
ok "it ends as asked" is "$status" 0
end TERM "$azsim"

# --- text from outside ---

rm -r "$dir/state"
perl -e 'my $text = q(all is well\nPRIORITY=0\nMDCD_FORGED=yes\n\u001b[31m\u0007\u009b\u202e\r);
	my $do = qq("status": 400, "code": "Bad\\nMDCD_FORGED=yes", "message": "$text);
	my $huge = "x" x 200000;
	print qq([ { "when": { "method": "PUT", "times": 1 }, "do": { $do$huge" } },
		{ "when": { "method": "PUT" }, "do": { $do" } } ]);' >"$dir/faults.json"
start_azsim --generate "$estate" --faults "$dir/faults.json"
write_config
start_mdcd
confirm
wait_for status_is '$states{blocked} || $states{backoff}'
ours=_PID=$mdcd
refused() { told 'all is well' "$ours" "$transition" MDCD_TO=blocked; }
ok "writes that Azure refuses are told with its words" wait_for refused
ok "no field is forged" is "$(entries MDCD_FORGED=yes)" 0
ok "no priority is" is "$(entries "$ours" PRIORITY=0)" 0
# journalctl gives text with control characters as an array of bytes, and none where it is too large.
journal --all -o json "$ours" >"$dir/entries"
ok "no value has control characters, or others that deceive the eye" perl -MJSON::PP -ne '
	my $entry = decode_json($_);
	for (values %$entry) { die "$_\n" if ref || /[\x00-\x1f\x7f-\x9f\x{202a}-\x{202e}]/ }' \
	"$dir/entries"
ok "none is huge" perl -MJSON::PP -ne '
	length > 8192 and die for values %{decode_json($_)}' "$dir/entries"
stop_mdcd
finish
