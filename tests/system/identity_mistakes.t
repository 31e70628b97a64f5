#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signing in and trusting, with everything that an operator gets wrong about it (the other ways to
# sign in are in identities.t): each mistake is told
# in words that lead to its cause, and the daemon goes on by itself once it is mended.
. "${0%/*}/lib.sh"
needs curl openssl perl
needs_programs

proof_is() { # proof_is METHOD OPTION
	proof="method = $1  $2"
}
by_secret() { proof_is client-secret "secret-file = \"$dir/secret\""; }
by_certificate() { proof_is client-certificate "certificate = \"$dir/identity.pem\""; }
make_certificate() { # make_certificate NAME SUBJECT OPTION...: NAME.key and NAME.pem
	pair=$dir/$1 subject=$2
	shift 2
	quietly openssl req -x509 -nodes -keyout "$pair.key" -out "$pair.pem" -days 10 \
		-subj "/CN=$subject" "$@" || die "openssl made no certificate"
}
make_certificate registered mdcd -newkey rsa:2048
make_certificate stranger mdcd -newkey rsa:2048
make_certificate curve mdcd -newkey ec -pkeyopt ec_paramgen_curve:P-256

cat >"$dir/estate.json" <<END
{ "tenants": [ { "id": "$tenant" } ],
  "principals": [ { "tenant": "$tenant", "client": "$client", "secret": "estate-secret",
    "certificates": [ "$(sed 's/$/\\n/' "$dir/registered.pem" | tr -d '\n')" ],
    "roles": [ { "scope": "/", "role": "Owner" } ] } ],
  "subscriptions": [ { "id": "30000000-0000-4000-8000-000000000001", "tenant": "$tenant",
    "groups": [ { "name": "rg", "location": "westeurope" } ],
    "machines": [ { "name": "srv-1", "group": "rg", "os": "Windows Server 2022 Datacenter" } ] } ] }
END
echo '[]' >"$dir/faults.json"
start_azsim --estate "$dir/estate.json" --faults "$dir/faults.json"
mode=observe
trusted=$AZSIM_CA login=$AZSIM_LOGIN


# One look at Azure by a daemon, until it knows its subscriptions or why it does not.
look() {
	rm -rf "$dir/state"
	write_config
	start_mdcd
	wait_for status_is '$pass{subscriptions}{ended}'
	problem=$(json passes.0.first_problem <"$dir/status")
	token_error=$(json client.tokens.0.error <"$dir/status")
	stop_mdcd
	# What comes next starts from what is right.
	by_secret
	AZSIM_CA=$trusted AZSIM_LOGIN=$login
}
works() { # works NAME
	look
	ok "$1" is "$problem" null
}
mistake() { # mistake NAME PATTERN: its cause is told
	look
	echo "$token_error" >"$dir/token_error"
	ok "$1: status tells why" has "$dir/token_error" "$2"
	ok "$1: so does the log" has "$dir/mdcd.err" "identity \"test\".*$2"
	ok "$1: no secret is told" lacks "$dir/mdcd.err" 'estate-secret\|wrong\|PRIVATE KEY'
}

# --- good ways ---

by_secret
works "a client secret"
printf 'estate-secret\n' >"$dir/secret"
works "a newline at its end"
cat "$dir/registered.key" "$dir/registered.pem" >"$dir/identity.pem"
by_certificate
works "a registered certificate"
cat "$dir/registered.pem" "$dir/registered.key" >"$dir/identity.pem"
by_certificate
works "before its key as well as after it"
quietly openssl rsa -aes256 -passout pass:word -in "$dir/registered.key" -out "$dir/locked.key"
cat "$dir/locked.key" "$dir/registered.pem" >"$dir/identity.pem"
echo word >"$dir/password"
proof_is client-certificate \
	"certificate = \"$dir/identity.pem\"  certificate-password-file = \"$dir/password\""
works "a key with a password"

# --- mistakes with the identity ---

mv "$dir/secret" "$dir/good"
mistake "no secret file" "$dir/secret.*No such file"
: >"$dir/secret"
mistake "an empty secret" "$dir/secret.*empty"
echo wrong >"$dir/secret"
mistake "a wrong secret" 'AADSTS7000215'
mv "$dir/good" "$dir/secret"
good=$client client=20000000-0000-4000-8000-0000000000ff
mistake "a client that is not registered" 'AADSTS700016'
client=$good good=$tenant tenant=10000000-0000-4000-8000-0000000000ff
mistake "a tenant that is not there" 'AADSTS90002'
tenant=$good
cat "$dir/stranger.key" "$dir/stranger.pem" >"$dir/identity.pem"
by_certificate
mistake "a certificate that is not registered" 'AADSTS700027'
cp "$dir/registered.pem" "$dir/identity.pem"
by_certificate
mistake "a certificate without its key" "$dir/identity.pem.*no private key"
cat "$dir/stranger.key" "$dir/registered.pem" >"$dir/identity.pem"
by_certificate
mistake "the key of another certificate" "$dir/identity.pem.*key"
cat "$dir/curve.key" "$dir/curve.pem" >"$dir/identity.pem"
by_certificate
mistake "a key that Entra does not take" "$dir/identity.pem.*RSA"
cat "$dir/locked.key" "$dir/registered.pem" >"$dir/identity.pem"
by_certificate
mistake "a key whose password is not given" "$dir/identity.pem.*password"

# --- mistakes with TLS ---

AZSIM_CA=$dir/none.pem
mistake "no CA file" "$dir/none.pem.*No such file"
echo words >"$dir/words.pem"
AZSIM_CA=$dir/words.pem
mistake "a CA file without a certificate" "$dir/words.pem.*no certificate"
AZSIM_CA=$dir/stranger.pem
mistake "the wrong CA" 'certificate.*issuer'

serve() { # serve OPTION...: an HTTPS server that is not azsim's; sets AZSIM_LOGIN
	[ -z "${server:-}" ] || end TERM "$server"
	rm -f "$dir/server.out" # what the one before said is not waited for
	spawn server openssl s_server -www -accept 127.0.0.1:0 "$@"
	server=$child
	wait_for grep -q '^ACCEPT .*:[0-9]' "$dir/server.out" || die "openssl does not serve"
	AZSIM_LOGIN=https://localhost:$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$dir/server.out")
}
make_certificate elsewhere elsewhere.example -newkey rsa:2048
make_certificate local localhost -newkey rsa:2048
serve -key "$dir/elsewhere.key" -cert "$dir/elsewhere.pem"
AZSIM_CA=$dir/elsewhere.pem
mistake "another host's certificate" "certificate.*localhost"
quietly openssl x509 -x509toreq -in "$dir/local.pem" -signkey "$dir/local.key" -out "$dir/local.csr"
quietly openssl x509 -req -days -1 -in "$dir/local.csr" -signkey "$dir/local.key" \
	-out "$dir/expired.pem"
serve -key "$dir/local.key" -cert "$dir/expired.pem"
AZSIM_CA=$dir/expired.pem
mistake "an expired certificate" 'certificate.*expired'
serve -key "$dir/local.key" -cert "$dir/local.pem" -tls1_1 -cipher DEFAULT@SECLEVEL=0
AZSIM_CA=$dir/local.pem
mistake "a server that is too old" 'TLS.*\(protocol\|version\)'
end TERM "$server"

web_page() { curl -sS --max-time 10 --cacert "$trusted" "$login/x" | grep -qi '<html'; }
echo '[ { "when": { "host": "login" }, "do": { "content": "html" } } ]' >"$dir/faults.json"
kill -HUP "$azsim"
wait_for web_page
mistake "a proxy's web page in place of a token" 'HTTP [0-9]* and an answer that is none of Azure'
echo '[]' >"$dir/faults.json"
kill -HUP "$azsim"
wait_for not web_page

# --- mending it under a running daemon ---

mv "$dir/secret" "$dir/good"
echo wrong >"$dir/secret"
write_config
run_mdcd --once
ok "--once without a token is an error" is "$status" 1
start_mdcd
ok "the daemon runs on without a token, and says why" \
	wait_for status_is '$token_error =~ /AADSTS7000215/'
ok "its log says so, too" has "$dir/mdcd.err" 'identity "test".*AADSTS7000215'
mv "$dir/good" "$dir/secret"
ok "with the right secret it goes on by itself" wait_for status_is '$states{compliant}'
ok "nothing is wrong any more" status_is '!$token_error'
stop_mdcd
ok "no secret is in the log" lacks "$dir/mdcd.err" estate-secret
ok "nor in the state" not grep -rq estate-secret "$dir/state"
finish
