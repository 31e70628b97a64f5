#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every way to sign in, and the ways out of a network, each in one pass; what goes wrong with secrets,
# certificates and TLS is in identity_mistakes.t.
. "${0%/*}/lib.sh"
needs curl openssl perl timeout
needs_programs

# --- keys, and an estate that knows them ---

tenant=10000000-0000-4000-8000-0000000000aa
subscription=30000000-0000-4000-8000-0000000000aa
client() { echo "20000000-0000-4000-8000-00000000000$1"; }
keys=$dir/keys
mkdir "$keys"
certificate() { # certificate NAME ARG...
	name=$1
	shift
	openssl req -x509 -newkey rsa:2048 -nodes -days 60 -subj "/CN=$name" -out "$keys/$name.crt" \
		-keyout "$keys/$name.key" "$@" 2>/dev/null
	cat "$keys/$name.key" "$keys/$name.crt" >"$keys/$name.pem"
}
certificate registered
certificate issuer
openssl req -new -newkey rsa:2048 -nodes -subj /CN=mdcd.contoso.test -keyout "$keys/named.key" \
	-out "$keys/named.csr" 2>/dev/null
openssl x509 -req -in "$keys/named.csr" -CA "$keys/issuer.crt" -CAkey "$keys/issuer.key" \
	-days 10 -out "$keys/named.crt" 2>/dev/null
cat "$keys/named.key" "$keys/named.crt" "$keys/issuer.crt" >"$keys/named.pem"
printf 'open sesame\n' >"$keys/password"
openssl pkcs12 -export -in "$keys/registered.pem" -passout "file:$keys/password" \
	-out "$keys/registered.pfx"
openssl genrsa -out "$keys/federation.key" 2048 2>/dev/null
openssl rsa -in "$keys/federation.key" -pubout -out "$keys/federation.pub" 2>/dev/null
base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
federated_token() { # federated_token SUBJECT
	now=$(date +%s)
	head=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url)
	body=$(printf '{"iss":"https://issuer.test","sub":"%s","aud":"api://AzureADTokenExchange",%s}' \
		"$1" "\"jti\":\"$now\",\"nbf\":$now,\"exp\":$((now + 600))" | base64url)
	printf '%s.%s.%s' "$head" "$body" "$(printf '%s.%s' "$head" "$body" |
		openssl dgst -sha256 -sign "$keys/federation.key" -binary | base64url)"
}

text() { perl -0777 -ne 's/\n/\\n/g; print "\"$_\""' "$1"; }
reader='"roles": [{ "scope": "/", "role": "Reader" }]'
cat >"$dir/estate.json" <<END
{ "tenants": [{ "id": "$tenant" }],
  "subscriptions": [{ "id": "$subscription", "name": "one", "tenant": "$tenant" }],
  "principals": [
    { "tenant": "$tenant", "client": "$(client 1)", "secret": "right", $reader },
    { "tenant": "$tenant", "client": "$(client 2)", "certificates": [$(text "$keys/registered.crt")],
      $reader },
    { "tenant": "$tenant", "client": "$(client 3)",
      "subjects": [{ "name": "mdcd.contoso.test", "issuer": $(text "$keys/issuer.crt") }], $reader },
    { "tenant": "$tenant", "client": "$(client 4)", "federations": [{ "issuer": "https://issuer.test",
      "subject": "system:serviceaccount:mdcd", "key": $(text "$keys/federation.pub") }], $reader },
    { "tenant": "$tenant", "client": "$(client 5)", "managed": "vm", "systemAssigned": true, $reader },
    { "tenant": "$tenant", "client": "$(client 6)", "managed": "vm", $reader },
    { "tenant": "$tenant", "client": "$(client 7)", "managed": "arc", "systemAssigned": true, $reader } ],
  "behaviour": { "latency": { "read": "0s", "write": "0s", "token": "0s", "graph": "0s" } } }
END
mkdir "$dir/tokens"
spawn azsim "$build/azsim" --tls-dir "$dir/tls" --estate "$dir/estate.json" --listen 127.0.0.1:0 \
	--login-listen 127.0.0.1:0 --arm-host management.azsim.invalid --login-host login.azsim.invalid \
	--imds-listen 127.0.0.1:0 --himds-listen 127.0.0.1:0 --himds-keys "$dir/tokens" \
	--ready-file "$dir/env" --request-log "$dir/requests"
wait_for [ -s "$dir/env" ] || die "azsim does not serve"
# shellcheck source=/dev/null
. "$dir/env"

# --- mdcd ---

# mdcd CONFIG [VARIABLE=VALUE...]: one pass of a configuration that says who and where. $inside, where
# set, runs it somewhere else.
inside=
timeout=$(command -v timeout)
mdcd() {
	config=$1
	shift
	rm -rf "$dir/state" && mkdir -m 700 "$dir/state"
	cat >"$dir/mdcd.conf" <<END
state-directory = "$dir/state"
policy "nothing" { }
$config
END
	case $config in *scope*) ;; *) echo 'scope all { identity = main  policy = nothing }' \
		>>"$dir/mdcd.conf" ;; esac
	# shellcheck disable=SC2086
	env -u HTTPS_PROXY -u https_proxy -u ALL_PROXY -u all_proxy -u NO_PROXY -u no_proxy "$@" \
		"$timeout" 60 $inside "$build/mdcd" --config "$dir/mdcd.conf" --once --log stderr \
		>"$dir/out" 2>&1
}
identity() { # identity METHOD CLIENT [LINE]
	echo "identity main { tenant = \"$tenant\"  method = $1"
	[ -z "$2" ] || echo "client = \"$2\""
	echo "${3:-} }"
}
sees() { told 'pass over subscriptions: 1 subscriptions'; }
told() { has "$dir/out" "$1"; }

# Names that this machine knows, for what needs no proxy, and a second cloud with another tenant.
sed "s/$tenant/11000000-0000-4000-8000-0000000000aa/g; s/$subscription/31000000-0000-4000-8000-0000000000aa/g" \
	"$dir/estate.json" >"$dir/second.json"
start_near() { # start_near ESTATE NAME
	mkdir "$dir/$2"
	spawn "$2" "$build/azsim" --tls-dir "$dir/$2/tls" --estate "$1" --listen localhost:0 \
		--imds-listen 127.0.0.1:0 --himds-listen 127.0.0.1:0 --himds-keys "$dir/tokens" \
		--ready-file "$dir/$2/env" --request-log "$dir/$2/requests"
	wait_for [ -s "$dir/$2/env" ] || die "azsim does not serve"
}
start_near "$dir/estate.json" near
start_near "$dir/second.json" second
value() { sed -n "s/^$2='\(.*\)'/\1/p" "$dir/$1/env"; }
cloud() { # cloud TITLE ESTATE [LINE]
	echo "cloud \"$1\" { login = \"$(value "$2" AZSIM_LOGIN)\"
		resource-manager = \"$(value "$2" AZSIM_ARM)\"
		ca-file = \"$(value "$2" AZSIM_CA)\"  ${3:-} }"
}
near=$(cloud public near)

# --- secrets and certificates ---

printf 'right\n' >"$dir/secret"
mdcd "$near $(identity client-secret "$(client 1)" "secret-file = \"$dir/secret\"
	secret-expires = $(date -u -d '+5 days' +%Y-%m-%d)")"
ok "a client secret" sees
ok "it is warned of before it ends" told 'the client secret .*/secret ends in [45] d'
mdcd "$near $(identity client-certificate "$(client 2)" "certificate = \"$keys/registered.pem\"")"
ok "a certificate in PEM" sees
mdcd "$near $(identity client-certificate "$(client 2)" "certificate = \"$keys/registered.pfx\"
	certificate-password-file = \"$keys/password\"")"
ok "a certificate in PKCS#12" sees
mdcd "$near $(identity client-certificate "$(client 3)" "certificate = \"$keys/named.pem\"
	certificate-chain = on")"
ok "a certificate that is trusted by its subject and issuer" sees
ok "its end is known" told 'the certificate .*/named.pem ends in 9 d'

# --- other issuers ---

federated_token system:serviceaccount:mdcd >"$dir/federated"
mdcd "$near $(identity workload-identity "$(client 4)" "federated-token-file = \"$dir/federated\"")"
ok "the token of another issuer" sees
mdcd "$near identity main { method = workload-identity }" "AZURE_TENANT_ID=$tenant" \
	"AZURE_CLIENT_ID=$(client 4)" "AZURE_FEDERATED_TOKEN_FILE=$dir/federated"
ok "the same by the environment of a cluster" sees
federated_token system:serviceaccount:other >"$dir/federated"
mdcd "$near $(identity workload-identity "$(client 4)" "federated-token-file = \"$dir/federated\"")"
ok "a subject that is not trusted is refused" told 'AADSTS70021'

# --- managed identities ---

imds="AZURE_POD_IDENTITY_AUTHORITY_HOST=$(value near AZSIM_IMDS)"
mdcd "$near $(identity managed-identity '')" "$imds"
ok "the identity of an Azure VM" sees
mdcd "$near $(identity managed-identity "$(client 6)")" "$imds"
ok "one of several that it has" sees
mdcd "$near $(identity managed-identity "$(client 9)")" "$imds"
ok "one that it does not have is refused" told 'assign the identity of that client to the VM'

# The agent's folder is azsim's, for mdcd alone.
cat >"$dir/inside" <<'END'
#!/bin/sh
tokens=$1
shift
mount -t tmpfs tmpfs /var/opt && mkdir -p /var/opt/azcmagent/tokens &&
	mount --bind "$tokens" /var/opt/azcmagent/tokens && exec "$@"
END
chmod 700 "$dir/inside"
unshare='unshare -m'
[ "$(id -u)" = 0 ] || unshare='unshare -rm'
agent="IDENTITY_ENDPOINT=$(value near AZSIM_HIMDS)/metadata/identity/oauth2/token"
if $unshare "$dir/inside" "$dir/tokens" true 2>/dev/null; then
	inside="$unshare $dir/inside $dir/tokens"
	mdcd "$near $(identity arc-managed-identity '')" "$agent" IMDS_ENDPOINT=x
	ok "the identity of an Arc machine" sees
	echo root-of-all-secrets >"$dir/bait"
	ln -s "$dir/bait" "$dir/tokens/link.key"
	head -c 4097 /dev/zero | tr '\0' x >"$dir/tokens/large.key"
	rogue() { # rogue PATH: mdcd meets somebody who took the agent's port
		rm -rf "$dir/rogue" && mkdir "$dir/rogue"
		spawn rogue perl "$here/rogue_agent.pl" "$dir/rogue" "$1"
		rogue=$child
		wait_for [ -s "$dir/rogue/port" ] || die "no agent of ours"
		mdcd "$near $(identity arc-managed-identity '')" IMDS_ENDPOINT=x \
			"IDENTITY_ENDPOINT=http://localhost:$(cat "$dir/rogue/port")/token"
		end TERM "$rogue"
	}
	folder=/var/opt/azcmagent/tokens
	for path in "$dir/bait" "$folder/../../../..$dir/bait.key" $folder/link.key \
		$folder/large.key $folder/absent.key; do
		rogue "$path"
		ok "nobody gets $path read out" lacks "$dir/rogue/log" '^Authorization'
		ok "and was asked" has "$dir/rogue/log" '^Metadata: true'
		ok "which is told" told 'identity "main" gets no token'
	done
	ok "no secret is told" lacks "$dir/out" root-of-all
	inside=
else
	skip "the identity of an Arc machine" "no mount namespaces here"
fi
mdcd "$near $(identity arc-managed-identity '')"
ok "without the agent that is told" told 'agent is not installed here'

# --- the Azure CLI ---

mkdir "$dir/bin"
cat >"$dir/bin/az" <<END
#!/bin/sh
echo "az \$*" >>"$dir/az.log"
[ ! -e "$dir/az.signed-out" ] || { echo "ERROR: Please run 'az login' to setup account." >&2; exit 1; }
answer=\$(curl -sS --cacert "$(value near AZSIM_CA)" -d grant_type=client_credentials \
	-d client_id=$(client 1) -d client_secret=right --data-urlencode "scope=\$6" \
	"$(value near AZSIM_LOGIN)/$tenant/oauth2/v2.0/token") || exit 1
token=\$(echo "\$answer" | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
printf '{ "accessToken": "%s", "expires_on": %s, "expiresOn": "x", "tenant": "$tenant" }\n' \
	"\$token" "\$((\$(date +%s) + 3600))"
END
chmod 700 "$dir/bin/az"
mdcd "$near $(identity azure-cli '')" "PATH=$dir/bin:$PATH"
ok "whoever is signed in with the Azure CLI" sees
ok "az is asked for the audience of the cloud" has "$dir/az.log" \
	"^az account get-access-token --output json --scope $(value near AZSIM_ARM)/.default --tenant $tenant\$"
: >"$dir/az.signed-out"
mdcd "$near $(identity azure-cli '')" "PATH=$dir/bin:$PATH"
ok "what az complains of is told" told "az: Please run 'az login' to setup account"
mdcd "$near $(identity azure-cli '')" "PATH=/nowhere:$dir/nothing"
ok "without az that is told" told '(az) is not in the PATH'
mdcd "$near $(identity azure-cli '')
	scope all { identity = main  policy = nothing  subscriptions = { \"*\" }  mode = enforce }"
ok "it is for observing only" told 'mode: the identity "main" signs in with azure-cli'

# --- several clouds at once ---

printf 'right\n' >"$dir/secret"
both() { # both WEST EAST: what the two scopes are over
	mdcd "$(cloud us-government near) $(cloud china second)
		identity west { cloud = us-government  tenant = \"$tenant\"  client = \"$(client 1)\"
			method = client-secret  secret-file = \"$dir/secret\" }
		identity east { cloud = china  tenant = \"11000000-0000-4000-8000-0000000000aa\"
			client = \"$(client 2)\"  method = client-certificate
			certificate = \"$keys/registered.pem\" }
		scope west { identity = west  policy = nothing  subscriptions = { \"$1\" } }
		scope east { identity = east  policy = nothing  subscriptions = { \"$2\" } }"
}
both "$subscription" 31000000-0000-4000-8000-0000000000aa
ok "two clouds, two tenants, two identities" told 'pass over subscriptions: 2 subscriptions'
ok "and nothing else" lacks "$dir/out" 'incomplete'
both '*' '*'
ok "all that each of them sees" told 'pass over subscriptions: 2 subscriptions'
ok "and nothing twice" lacks "$dir/out" 'incomplete\|conflict'

# --- a cloud that does not say where it signs in ---

lab="cloud lab { resource-manager = \"$(value near AZSIM_ARM)\"  ca-file = \"$(value near AZSIM_CA)\""
lab_identity="$(identity client-secret "$(client 1)" "cloud = lab  secret-file = \"$dir/secret\"")"
mdcd "$lab } $lab_identity"
ok "it is asked, and what to write is told" \
	told "write login = \"$(value near AZSIM_LOGIN)\" into it"
ok "nobody signed in meanwhile" lacks "$dir/out" 'pass over subscriptions: 1'
mdcd "$lab login = \"$(value near AZSIM_LOGIN)\" } $lab_identity"
ok "written down, it is used" sees

# --- proxies ---

start_proxy() { # start_proxy NAME [USER:PASSWORD]: sets $proxy
	mkdir "$dir/$1"
	spawn "$1" perl "$here/connect_proxy.pl" "$dir/$1" ${2:+"$2"}
	wait_for [ -s "$dir/$1/port" ] || die "no proxy of ours"
	proxy=http://127.0.0.1:$(cat "$dir/$1/port")
}
far() { # far [LINE]: the estate that only a proxy finds
	echo "cloud public { login = \"$AZSIM_LOGIN\"  resource-manager = \"$AZSIM_ARM\"
		ca-file = \"$AZSIM_CA\"  ${1:-} }"
}
far_identity=$(identity client-secret "$(client 1)" "secret-file = \"$dir/secret\"")
start_proxy open
mdcd "$(far) proxy { url = \"$proxy\" } $far_identity"
ok "a proxy that the configuration names" sees
ok "it was asked for the login host" has "$dir/open/log" '^CONNECT login.azsim.invalid:[0-9]* .* -> 200$'
ok "and for Resource Manager" has "$dir/open/log" '^CONNECT management.azsim.invalid:[0-9]* .* -> 200$'
ok "no token was for it" lacks "$dir/open/log" TOKEN
ok "its connections were used again" [ "$(wc -l <"$dir/open/log")" -lt 8 ]
mdcd "$(far) $far_identity" "HTTPS_PROXY=$proxy"
ok "a proxy that the environment names" sees
mdcd "$(far "proxy { url = \"$proxy\" }") proxy { url = \"http://127.0.0.1:1\" } $far_identity"
ok "a proxy of one cloud" sees
mdcd "$(far) $far_identity" HTTPS_PROXY=http://127.0.0.1:1
ok "a proxy that is not there is named" told '(by the proxy http://127.0.0.1:1)'
: >"$dir/open/log"
mdcd "$near proxy { url = \"$proxy\" } $(identity managed-identity '')" "$imds"
ok "with a proxy, an Azure VM still sees its metadata service" sees
ok "which the proxy hears nothing of" is "$(wc -l <"$dir/open/log")" 0
start_proxy closed me:sesame
mdcd "$(far) proxy { url = \"$proxy\" } $far_identity"
ok "a proxy that wants a password says so" told 'wants a user and a password (407)'
printf 'me:sesame\n' >"$dir/proxy-password"
mdcd "$(far) proxy { url = \"$proxy\"  credentials-file = \"$dir/proxy-password\" } $far_identity"
ok "it comes out of a file" sees
printf 'me:wrong\n' >"$dir/proxy-password"
mdcd "$(far) proxy { url = \"$proxy\"  credentials-file = \"$dir/proxy-password\" } $far_identity"
ok "a wrong one is told" told 'does not take the user and password of its credentials-file'
ok "and not shown" lacks "$dir/out" wrong
mdcd "$(far) $far_identity" "HTTPS_PROXY=http://me:sesame@${proxy#http://}"
ok "the environment may hold it" sees
ok "and it is not shown" lacks "$dir/out" sesame
mdcd "$(far) proxy { url = \"$proxy\"  no-proxy = { \"azsim.invalid\" } } $far_identity"
ok "what is excepted is looked for without it" told 'could not be resolved'

# --- what came of it ---

for estate in near second; do
	ok "no secret is in the log of requests ($estate)" lacks "$dir/$estate/requests" 'right'
done

finish
