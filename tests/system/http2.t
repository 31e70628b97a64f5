#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# HTTP/2, as Azure offers it: nginx (or $NGINX) in front of azsim. Talks to loopback only.
set -u
cd "$(dirname "$0")/../.." || exit 1

build=$(cd "${BUILD:-build}" && pwd) || exit 1
nginx=${NGINX:-$(PATH=$PATH:/usr/sbin command -v nginx)}
dir=$(mktemp -d "${TMPDIR:-/tmp}/http2.XXXXXX") || exit 1
children=
count=0

finish() {
	for child in $children; do kill -KILL "$child" 2>/dev/null; done
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
		tail -n 20 "$dir/out" "$dir/access" 2>/dev/null | sed 's/^/# /'
	fi
}
has() { grep -q -- "$2" "$1"; }
lacks() { ! grep -q -- "$2" "$1"; }
wait_for() {
	tries=0
	while [ ! -s "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || return 1
		sleep 0.1
	done
}

if [ -z "$nginx" ] || [ ! -x "$nginx" ]; then
	echo "1..0 # SKIP no nginx (apt-get install nginx-light)"
	exit 0
fi
for tool in "$build/mdcd" "$build/azsim" perl; do
	if ! command -v "$tool" >/dev/null; then
		echo "1..0 # SKIP no $tool"
		exit 0
	fi
done

tenant=10000000-0000-4000-8000-0000000000aa
client=20000000-0000-4000-8000-0000000000aa
port=$(perl -MIO::Socket::INET -e \
	'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')
"$build/azsim" --tls-dir "$dir/tls" --listen 127.0.0.1:0 --arm-host "localhost:$port" \
	--login-host "127.0.0.1:$port" --ready-file "$dir/env" --generate \
	"subscriptions=3,machines=50,tenant=$tenant,client=$client,secret=s" >"$dir/azsim.out" 2>&1 &
azsim=$!
children=$azsim
wait_for "$dir/env" || { cat "$dir/azsim.out"; echo "Bail out! azsim does not start"; exit 1; }
# The port that it has, whatever clients call it.
behind=$(perl -e '
	for my $fd (glob "/proc/$ARGV[0]/fd/*") {
		my $link = readlink $fd or next;
		$inode{$1} = 1 if $link =~ /^socket:\[(\d+)\]/;
	}
	open my $tcp, "<", "/proc/net/tcp";
	while (<$tcp>) {
		my @f = split;
		print hex((split /:/, $f[1])[1]) if $f[3] eq "0A" && $inode{$f[9]};
	}' "$azsim")

start_nginx() { # start_nginx DIRECTIVE
	cat >"$dir/nginx.conf" <<END
daemon off;
master_process off;
pid $dir/nginx.pid;
error_log $dir/error;
events { }
http {
	log_format how '\$server_protocol \$connection \$request_method \$uri \$status';
	access_log $dir/access how;
	client_body_temp_path $dir/body;
	proxy_temp_path $dir/proxied;
	fastcgi_temp_path $dir/fastcgi;
	uwsgi_temp_path $dir/uwsgi;
	scgi_temp_path $dir/scgi;
	$1
	server {
		listen 127.0.0.1:$port ssl http2;
		ssl_certificate $dir/tls/server.pem;
		ssl_certificate_key $dir/tls/server-key.pem;
		location / {
			proxy_pass https://127.0.0.1:$behind;
			proxy_http_version 1.1;
			proxy_set_header Host \$http_host;
			proxy_set_header Connection "";
		}
	}
}
END
	rm -f "$dir/access" "$dir/nginx.pid"
	"$nginx" -p "$dir" -c "$dir/nginx.conf" >"$dir/nginx.out" 2>&1 &
	children="$children $!"
	proxy=$!
	wait_for "$dir/nginx.pid" || { cat "$dir/nginx.out"; echo "Bail out! nginx does not start"; exit 1; }
}
stop_nginx() {
	kill -TERM $proxy
	wait $proxy
}

printf s >"$dir/secret"
cat >"$dir/mdcd.conf" <<END
state-directory = "$dir/state"
cloud public { login = "https://127.0.0.1:$port"  resource-manager = "https://localhost:$port"
	ca-file = "$dir/tls/ca.pem" }
identity main { tenant = "$tenant"  client = "$client"  method = client-secret
	secret-file = "$dir/secret" }
policy nothing { }
scope all { identity = main  policy = nothing }
END
pass() {
	rm -rf "$dir/state" && mkdir -m 700 "$dir/state"
	timeout 60 "$build/mdcd" --config "$dir/mdcd.conf" --once --log stderr >"$dir/out" 2>&1
}

start_nginx ''
pass
ok "a pass over everything" has "$dir/out" 'pass over machines: 3 subscriptions, 50 machines'
ok "every request went over HTTP/2" lacks "$dir/access" '^HTTP/1'
ok "to both services" has "$dir/access" '^HTTP/2.0 [0-9]* POST .*/oauth2/v2.0/token 200'
connections=$(cut -d' ' -f2 "$dir/access" | sort -u | wc -l)
requests=$(wc -l <"$dir/access")
ok "$requests requests share $connections connections" [ "$((connections * 2))" -lt "$requests" ]
stop_nginx

# The server says GOAWAY after each third request.
start_nginx 'keepalive_requests 3;'
pass
ok "a server that goes away all the time costs nothing" \
	has "$dir/out" 'pass over machines: 3 subscriptions, 50 machines'
ok "and no pass is incomplete" lacks "$dir/out" incomplete
ok "it did" [ "$(cut -d' ' -f2 "$dir/access" | sort -u | wc -l)" -gt 2 ]
stop_nginx

kill -TERM "$azsim"
wait "$azsim"
ok "azsim has nothing against it" [ $? = 0 ]
echo "1..$count"
