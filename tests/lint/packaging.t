#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is installed beside the programs: message catalog, unit, users.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
echo 1..6
check() {
	if [ -z "$3" ]; then echo "ok $1 - $2"; else echo "not ok $1 - $2"; echo "$3" | head -40 | sed 's/^/# /'; fi
}

grep -oE '"[0-9a-f]{32}"' daemon/log.h | tr -d '"' | sort >"$root/in-source"
grep -oE '^-- [0-9a-f]{32}' systemd/mdcd.catalog | cut -c4- | sort >"$root/in-catalog"
check 1 "each message has a catalog entry, and each entry a message" \
	"$(diff "$root/in-source" "$root/in-catalog")$(uniq -d "$root/in-source")"

mkdir -p "$root/usr/lib/systemd/catalog"
cp systemd/mdcd.catalog "$root/usr/lib/systemd/catalog/"
check 2 "the catalog compiles whole" "$(journalctl --root="$root" --update-catalog 2>&1
	[ "$(journalctl --root="$root" --list-catalog | wc -l)" = "$(wc -l <"$root/in-source")" ] ||
		echo "entries are missing")"

fields=$(grep -ohE '"MDCD_[A-Z_]+"' daemon/*.c | tr -d '"' | sort -u)
used=$(grep -oE '@MDCD_[A-Z_]+@' systemd/mdcd.catalog | tr -d '@' | sort -u)
check 3 "the catalog names fields that are sent" "$(for f in $used; do echo "$fields" | grep -qx "$f" || echo "$f"; done)"

make --no-print-directory -s BUILD="$build" DESTDIR="$root" PREFIX=/usr install-files >/dev/null 2>"$root/install.log"
mkdir -p "$root/usr/lib/systemd/system" "$root/etc"
cp /usr/lib/systemd/system/*.target /usr/lib/systemd/system/*.slice "$root/usr/lib/systemd/system/" 2>/dev/null
check 4 "the unit verifies without a word" \
	"$(systemd-analyze verify --man=no --root="$root" mdcd.service 2>&1; cat "$root/install.log")"
check 5 "the sandbox leaves an exposure of at most 1.2" \
	"$(systemd-analyze security --offline=yes --threshold=12 "$root/usr/lib/systemd/system/mdcd.service" \
		>"$root/exposure" 2>&1 && grep -q 'Overall exposure' "$root/exposure" || tail -n 3 "$root/exposure")"
printf 'root:x:0:0::/root:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
check 6 "users, groups and directories are made" "$(systemd-sysusers --root="$root" 2>&1 | grep -v '^Creating'
	grep -q '^mdcd:' "$root/etc/passwd" || echo "no user mdcd"
	grep -q '^mdcd-admin:' "$root/etc/group" || echo "no group mdcd-admin"
	systemd-tmpfiles --root="$root" --create 2>&1
	[ -d "$root/etc/mdcd/credentials" ] || echo "no credentials directory")"
