#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The simulated estate as a server: TLS, names, tokens, lists, late and broken answers, the request
# log, the verdict. Needs build/azsim (or $AZSIM), curl and openssl; talks to loopback only.
set -u

azsim=${AZSIM:-build/azsim}
dir=$(mktemp -d "${TMPDIR:-/tmp}/azsim.XXXXXX") || exit 1
server=
count=0

finish() {
	[ -z "$server" ] || kill -KILL "$server" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

ok() { # ok NAME COMMAND...: the command decides
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		echo "# $*"
	fi
}
skip() {
	count=$((count + 1))
	echo "ok $count # SKIP $1"
}
is() { [ "$1" = "$2" ] || { echo "# got \"$1\", not \"$2\""; false; }; }
has() { grep -q -- "$2" "$1" || { echo "# no \"$2\" in:"; sed 's/^/# /' "$1"; false; }; }
lacks() { ! grep -q -- "$2" "$1"; }

if [ ! -x "$azsim" ]; then
	echo "1..0 # SKIP $azsim was not built"
	exit 0
fi
for tool in curl openssl; do
	if ! command -v "$tool" >/dev/null; then
		echo "1..0 # SKIP no $tool"
		exit 0
	fi
done

tenant=10000000-0000-4000-8000-0000000000aa
client=20000000-0000-4000-8000-0000000000aa
secret=not-to-be-seen
spec=subscriptions=2,machines=20,tenant=$tenant,client=$client,secret=$secret
tls=$dir/tls

# start ARG...: in the background, until it is ready or has ended. AZSIM_ARM and so on are set.
start() {
	rm -f "$dir/ready"
	"$azsim" --tls-dir "$tls" --ready-file "$dir/ready" "$@" >"$dir/out" 2>"$dir/err" &
	server=$!
	tries=0
	while [ ! -f "$dir/ready" ]; do
		tries=$((tries + 1))
		if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
			return 1
		fi
		sleep 0.1
	done
	# shellcheck source=/dev/null
	. "$dir/ready"
}
# stop SIGNAL: leaves the exit status in $status
stop() {
	kill "-$1" "$server"
	wait "$server"
	status=$?
	server=
}
# status_of COMMAND...: leaves the exit status in $status
status_of() {
	"$@" >"$dir/out" 2>"$dir/err"
	status=$?
}
# ask ARG...: curl that trusts our authority; leaves body, headers, code and curl's own status
ask() {
	code=$(curl -sS --max-time 30 --cacert "$tls/ca.pem" -o "$dir/body" -D "$dir/headers" \
		-w '%{http_code}' "$@" 2>"$dir/curl")
	curl_status=$?
}
ask_token() { # ask_token URL
	ask "$1/$tenant/oauth2/v2.0/token" -d grant_type=client_credentials \
		-d "client_id=$client" -d "client_secret=$secret" \
		--data-urlencode "scope=$AZSIM_ARM/.default"
	token=$(sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p' "$dir/body")
}
ask_arm() { # ask_arm PATH ARG...
	path=$1
	shift
	ask -H "Authorization: Bearer $token" "$@" "$AZSIM_ARM$path"
}

# --- the command line ---

status_of "$azsim" --help
ok "help is given" is "$status" 0
ok "help explains the specification" has "$dir/out" machines=
status_of "$azsim" --version
ok "the version is given" has "$dir/out" '^azsim [0-9]'

misuse() { # misuse NAME ARG...
	name=$1
	shift
	status_of "$azsim" "$@"
	ok "refused: $name" is "$status" 2
	ok "says why: $name" has "$dir/err" azsim
}
misuse "no estate" --tls-dir "$tls"
misuse "two estates" --tls-dir "$tls" --estate x --generate y
misuse "no directory" --generate x
misuse "an unknown option" --unheard-of
misuse "an argument" --tls-dir "$tls" --generate x y
misuse "an address without a port" --tls-dir "$tls" --generate x --listen localhost
misuse "a port that is none" --tls-dir "$tls" --generate x --listen localhost:65536
misuse "a bare IPv6 address" --tls-dir "$tls" --generate x --listen ::1:8443
misuse "a seed that is no number" --tls-dir "$tls" --generate x --seed -1
misuse "time that stands still" --tls-dir "$tls" --generate x --time-scale 0

status_of "$azsim" --tls-dir "$tls" --listen localhost:0 --generate nonsense=1
ok "a wrong specification ends it" is "$status" 1
ok "the wrong key is named" has "$dir/err" nonsense
echo '{"tenants":[' >"$dir/estate.json"
status_of "$azsim" --tls-dir "$tls" --listen localhost:0 --estate "$dir/estate.json"
ok "a broken document ends it" is "$status" 1
ok "its file and line are named" has "$dir/err" 'estate.json:[0-9]'
status_of "$azsim" --tls-dir "$tls" --listen localhost:0 --estate "$dir/absent.json"
ok "an absent document ends it" is "$status" 1

# --- a run in which everything goes wrong ---

cat >"$dir/faults.json" <<END
[ { "when": { "path": "^/late" }, "do": { "delay": "20s" } },
  { "when": { "path": "^/reset" }, "do": { "delivery": "reset" } },
  { "when": { "path": "^/cut" }, "do": { "delivery": "truncate" } },
  { "when": { "path": "^/refuse" }, "do": { "delivery": "refuse" } },
  { "when": { "path": "^/hang" }, "do": { "delivery": "hang" } } ]
END
ok "it starts on a free port" start --generate "$spec" --listen localhost:0 --seed 7 \
	--time-scale 20 --faults "$dir/faults.json" --request-log "$dir/log" \
	--verdict "$dir/verdict.json"
ok "it says that it is ready, and where" has "$dir/out" "^azsim: ready $AZSIM_ARM"
ok "the port is a real one" has "$dir/ready" "localhost:[1-9]"
ok "it is the one that was started" is "$AZSIM_PID" "$server"

ok "the authority's key is its owner's alone" \
	is "$(stat -c %a "$tls/ca-key.pem")" 600
ok "the server's key is its owner's alone" is "$(stat -c %a "$tls/server-key.pem")" 600
openssl verify -CAfile "$tls/ca.pem" -purpose sslserver "$tls/server.pem" >"$dir/verified"
ok "the authority vouches for the server" is $? 0
for name in DNS:localhost 'IP Address:127.0.0.1' 'IP Address:0:0:0:0:0:0:0:1'; do
	openssl x509 -in "$tls/server.pem" -noout -ext subjectAltName >"$dir/names"
	ok "the certificate is for $name" has "$dir/names" "$name"
done
curl -sS --max-time 30 "$AZSIM_ARM/" >/dev/null 2>&1
ok "without the authority it is not trusted" is $? 60
curl -sS --max-time 30 --cacert "$tls/ca.pem" --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 \
	"$AZSIM_ARM/" >/dev/null 2>&1
ok "TLS 1.1 is refused" is $? 35

ask --ipv4 "$AZSIM_ARM/metadata/endpoints?api-version=2022-09-01"
ok "IPv4 is served" is "$code" 200
if grep -q '^0*1 ' /proc/net/if_inet6 2>/dev/null; then
	ask --ipv6 "$AZSIM_ARM/metadata/endpoints?api-version=2022-09-01"
	ok "IPv6 is served" is "$code" 200
else
	skip "no IPv6 here"
fi
ask -H "Host: evil.example" "$AZSIM_ARM/subscriptions?api-version=2022-12-01"
ok "another host is misdirected" is "$code" 421

ask_token "$AZSIM_LOGIN"
ok "the token endpoint gives a token" is "$code/${token:+token}" 200/token
ask_token "$AZSIM_ARM"
ok "also under the name of Resource Manager" is "$code/${token:+token}" 200/token
ask_arm "/subscriptions?api-version=2022-12-01"
ok "subscriptions are listed" is "$code" 200
ok "both are there" is "$(grep -o '"subscriptionId"' "$dir/body" | wc -l)" 2
ask "$AZSIM_ARM/subscriptions?api-version=2022-12-01"
ok "without a token they are not" is "$code" 401
connects=$(curl -sS --max-time 30 --cacert "$tls/ca.pem" -o "$dir/body" -o "$dir/body" \
	-H "Authorization: Bearer $token" -w '%{num_connects}' \
	"$AZSIM_ARM/subscriptions?api-version=2022-12-01" \
	"$AZSIM_ARM/subscriptions?api-version=2022-12-01")
ok "a connection is used again" is "$connects" 10

query='{"query":"resources | summarize n = count() by type","options":{"resultFormat":"objectArray"}}'
ask_arm "/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01" \
	-H "Content-Type: application/json" -d "$query"
ok "Resource Graph answers" has "$dir/body" '"n": *20'

seconds=$(curl -sS --max-time 30 --cacert "$tls/ca.pem" -o /dev/null -w '%{time_total}' \
	"$AZSIM_ARM/late?api-version=1")
ok "20 s of the estate are no less than one of ours" [ "${seconds%%.*}" -ge 1 ]
ask "$AZSIM_ARM/reset?api-version=1"
ok "a reset is a reset" has "$dir/curl" "reset by peer"
ask "$AZSIM_ARM/cut?api-version=1"
ok "a cut answer is shorter than it says" is "$curl_status" 18
ask "$AZSIM_ARM/refuse?api-version=1"
ok "a refused connection gives no answer" is "$curl_status/$code" 56/000
ask --max-time 1 "$AZSIM_ARM/hang?api-version=1"
ok "an answer that never comes does not come" is "$curl_status/$code" 28/000
ask_arm "/subscriptions?api-version=2022-12-01"
ok "others are served meanwhile" is "$code" 200

head -c 4194305 /dev/zero >"$dir/large"
ask_arm "/subscriptions/x?api-version=1" -X PUT -H "Expect:" --data-binary "@$dir/large"
ok "a body over 4 MiB is refused" is "$code" 413
ask_arm "/subscriptions/x?api-version=1" -X PUT -H "Expect:" -H "Transfer-Encoding: chunked" \
	--data-binary "@$dir/large"
ok "also one that comes in pieces" is "$code" 413
ask_arm "/subscriptions?api-version=2022-12-01" \
	-H "X-Long: $(head -c 100000 /dev/zero | tr '\0' x)"
ok "headers without end are refused" is "$code" 431

echo '[ { "when": { "path": "^/subscriptions$" }, "do": { "status": 418, "code": "New" } } ]' \
	>"$dir/faults.json"
kill -HUP "$server"
tries=0
while [ "$code" != 418 ] && [ "$tries" -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
	ask_arm "/subscriptions?api-version=2022-12-01"
done
ok "SIGHUP reads the faults again" is "$code" 418
echo '[ { "nonsense"' >"$dir/faults.json"
kill -HUP "$server"
tries=0
while lacks "$dir/err" 'faults.json:[0-9]' && [ "$tries" -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
ask_arm "/subscriptions?api-version=2022-12-01"
ok "a broken file leaves the old ones" is "$code" 418

kill -USR1 "$server"
tries=0
while lacks "$dir/out" bad && [ "$tries" -lt 100 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
ok "SIGUSR1 prints the verdict" has "$dir/out" bad
ask "$AZSIM_ARM/metadata/endpoints?api-version=2022-09-01"
ok "and goes on" is "$code" 200

stop TERM
ok "a bad verdict is status 3" is "$status" 3
ok "the verdict is written" has "$dir/verdict.json" '"good": *false'
ok "the log has a line for each request" has "$dir/log" \
	'"method":"GET".*"path":"/subscriptions".*"status":200'
ok "and says how answers were delivered" has "$dir/log" '"delivery":"truncates"'
ok "no secret is in the log" lacks "$dir/log" "$secret"
ok "no token is in the log" lacks "$dir/log" "$(echo "$token" | cut -d. -f3)"

# --- a run in which nothing does, with the same authority ---

before=$(cksum "$tls/ca.pem" "$tls/server.pem")
ok "it starts again" start --generate "$spec" --listen localhost:0 --verdict "$dir/verdict.json" \
	--traffic-log "$dir/traffic"
ok "the certificates are the same" is "$(cksum "$tls/ca.pem" "$tls/server.pem")" "$before"
ask_token "$AZSIM_LOGIN"
ask_arm "/subscriptions?api-version=2022-12-01"
ok "and serve" is "$code" 200
security=/subscriptions/30000000-0000-4000-8000-000000000001/providers/Microsoft.Security
ask_arm "$security/mdeOnboardings/Windows?api-version=2021-10-01-preview"
package=$(grep -o '"onboardingPackageWindows": *"[^"]*"' "$dir/body" | cut -c 30-90)
other=$("$azsim" --tls-dir "$tls" --generate "$spec" --listen "localhost:${AZSIM_ARM##*:}" 2>&1)
ok "a port in use ends another" is "$?" 1
ok "which says so" is "${other##* in }" use
stop INT
ok "a good verdict is status 0" is "$status" 0
ok "the verdict is good" has "$dir/verdict.json" '"good": *true'
ok "the traffic is written in pairs" has "$dir/traffic" \
	'^{"liveRequest":{"method":"GET","url":".*"liveResponse":{"statusCode":"200".*"body":{"value"'
ok "without what was said to the token endpoint" is "$(grep -c oauth2 "$dir/traffic")" 0
ok "without the token" has "$dir/traffic" '"Authorization":"Bearer \*\*\*"'
ok "and without onboarding packages" has "$dir/traffic" '"onboardingPackageWindows":"Kioq"'
ok "that were there" [ ${#package} -gt 50 ]
ok "no token is in the traffic" lacks "$dir/traffic" "$(echo "$token" | cut -d. -f3)"

# --- two ports, other names ---

authority=$(cksum "$tls/ca.pem")
ok "it starts with two ports and a name" start --generate "$spec" --listen 127.0.0.1:0 \
	--login-listen 127.0.0.1:0 --arm-host management.azsim.test --tls-name more.azsim.test
ok "the authority is still the same" is "$(cksum "$tls/ca.pem")" "$authority"
openssl x509 -in "$tls/server.pem" -noout -ext subjectAltName >"$dir/names"
ok "the certificate has the new names" has "$dir/names" 'management.azsim.test.*more.azsim.test'
arm_port=${AZSIM_ARM##*:}
ok "the services have ports of their own" [ "$arm_port" != "${AZSIM_LOGIN##*:}" ]
ask_token "$AZSIM_LOGIN"
ok "tokens come from one" is "$code" 200
ask_arm "/subscriptions?api-version=2022-12-01" \
	--resolve "management.azsim.test:$arm_port:127.0.0.1"
ok "lists from the other, by its name" is "$code" 200
ask "https://127.0.0.1:$arm_port/subscriptions?api-version=2022-12-01"
ok "its address is not its name" is "$code" 421
stop TERM

echo "1..$count"
