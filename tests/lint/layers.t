#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Arrows go one way: daemon -> engine -> controls -> model -> azure -> base. The core includes no
# header and uses no symbol that touches the world.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
echo 1..4

rank() {
	case $1 in
	base) echo 0 ;;
	azure) echo 1 ;;
	model) echo 2 ;;
	controls) echo 3 ;;
	engine) echo 4 ;;
	esac
}
bad=
for dir in base azure model controls engine; do
	own=$(rank $dir)
	for other in base azure model controls engine; do
		[ "$(rank $other)" -le "$own" ] && continue
		bad="$bad$(grep -nE "#include \"lib/$other/" lib/$dir/*.[ch] /dev/null)"
	done
done
[ -z "$bad" ] && echo "ok 1 - folders of lib include only what is below them" ||
	{ echo "not ok 1 - folders of lib include only what is below them"; echo "$bad" | sed 's/^/# /'; }

bad=$(grep -nE '#include "(daemon|tests)/' lib/*/*.[ch])
[ -z "$bad" ] && echo "ok 2 - lib includes nothing of the daemon or the tests" ||
	{ echo "not ok 2 - lib includes nothing of the daemon or the tests"; echo "$bad" | sed 's/^/# /'; }

# What the core may ask of the C library: strings, memory, numbers, and saying why it aborts.
# Of jansson what needs no file.
allowed='^(mem(chr|cmp|cpy|move|set)|explicit_bzero|bcmp|str(n?dup|n?len|n?cmp|n?casecmp|r?chr|c?spn|pbrk|str|sep)|v?snprintf|__v?snprintf_chk|f(puts|write|putc|printf)|__fprintf_chk|stderr|malloc|calloc|realloc|free|abort|qsort|__mem(cpy|move|set)_chk|__explicit_bzero_chk|strto(l|ll|ul|ull|d)|__isoc[0-9]+_strto(l|ll|ul|ull|d)|__assert_fail|__errno_location|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|json_(array|object|string|integer|real|number|boolean|true|false|null|delete|deep_copy|equal|pack|unpack|sprintf|dumps|loads|loadb|dumpb)(_[a-z_]*)?|__asan_.*|__ubsan_.*|__sanitizer_.*)$'
[ -s "$build/libmdc.a" ] || { echo "Bail out! $build/libmdc.a is not built"; exit 1; }
bad=$(nm -u "$build/libmdc.a" | awk 'NF==2 && $1=="U"{print $2}' | sort -u >"$build/undefined.txt"
	nm --defined-only "$build/libmdc.a" | awk 'NF==3{print $3}' | sort -u >"$build/defined.txt"
	comm -23 "$build/undefined.txt" "$build/defined.txt" | grep -vE "$allowed")
[ -z "$bad" ] && echo "ok 3 - the core uses only named functions of libc and jansson" ||
	{ echo "not ok 3 - the core uses only named functions of libc and jansson"; echo "$bad" | sed 's/^/# /'; }

# A library of the world has one part of the daemon that knows it: files of one beginning.
bad=
while read -r header owners; do
	bad="$bad$(grep -lE "#include <$header" daemon/*.[ch] lib/*/*.[ch] | grep -vE "^daemon/($owners)")"
done <<-END
	ev\.h> loop_ev\.
	confuse\.h> config_values\.
	curl/ transport_|tls_trust\.
	openssl/ transport_|tls_trust\.|jwt|base64\.|digest\.|store_chain\.
	sqlite3\.h> store_
	systemd/ notify\.
END
[ -z "$bad" ] && echo "ok 4 - each foreign library has its owner" ||
	{ echo "not ok 4 - each foreign library has its owner"; echo "$bad" | sed 's/^/# /'; }
