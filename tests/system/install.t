#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make install and uninstall: each file in its place with its mode, nothing else, and nothing left; and
# that what is installed works where it comes to lie: unit, manuals, completion.
. "${0%/*}/lib.sh"
needs make
needs_programs

place() { # place TARGET PREFIX: below $dir/dest
	(umask 027 && make -C "$root" BUILD="$build" DESTDIR="$dir/dest" PREFIX="$2" "$1") \
		>"$dir/make.out" 2>"$dir/make.err"
}
files() { (cd "$dir/dest" && find . ! -type d -printf '%m %P\n' | sort -k 2); }
directories() { (cd "$dir/dest" && find . -type d ! -perm 755 -printf '%m %P\n'); }
wanted() { # wanted PREFIX UNITS: paths without their first slash
	sort -k 2 <<END
755 $1/sbin/mdcd
755 $1/bin/mdcctl
644 $1/share/man/man1/mdcctl.1
644 $1/share/man/man5/mdcd.conf.5
644 $1/share/man/man8/mdcd.8
644 $1/share/bash-completion/completions/mdcctl
644 $1/share/doc/mdcd/LICENSE
644 $1/share/doc/mdcd/README.md
644 $1/share/doc/mdcd/mdcd.conf
644 $1/share/doc/mdcd/addresses.conf.example
644 $1/share/doc/mdcd/credentials.conf.example
644 $1/share/doc/mdcd/himds.conf.example
644 $2/systemd/system/mdcd.service
644 $2/systemd/catalog/mdcd.catalog
644 $2/sysusers.d/mdcd.conf
644 $2/tmpfiles.d/mdcd.conf
END
}

# --- where, and what ---

for prefix in usr usr/local opt/mdcd; do
	rm -rf "$dir/dest"
	ok "make install to /$prefix" place install-files "/$prefix"
	ok "it says nothing on stderr (/$prefix)" is "$(cat "$dir/make.err")" ""
	files >"$dir/files"
	wanted $prefix $prefix/lib >"$dir/wanted"
	ok "each file is there with its mode, and no other (/$prefix)" diff "$dir/wanted" "$dir/files"
	ok "the unit starts what was installed (/$prefix)" \
		has "$dir/dest/$prefix/lib/systemd/system/mdcd.service" "^ExecStart=/$prefix/sbin/mdcd$"
	ok "and reloads by it (/$prefix)" has "$dir/dest/$prefix/lib/systemd/system/mdcd.service" \
		"^ExecReload=/$prefix/bin/mdcctl reload$"
	mkdir -p "$dir/dest/etc/mdcd" "$dir/dest/var/lib/mdcd"
	echo '# of the administrator' >"$dir/dest/etc/mdcd/mdcd.conf"
	ok "installing again changes nothing (/$prefix)" place install-files "/$prefix"
	ok "not the configuration (/$prefix)" has "$dir/dest/etc/mdcd/mdcd.conf" administrator
	rm -r "$dir/dest/etc" "$dir/dest/var"
	ok "make uninstall (/$prefix)" place uninstall "/$prefix"
	ok "it leaves no file (/$prefix)" is "$(files)" ""
	ok "nor a directory of ours (/$prefix)" is "$(find "$dir/dest" -name '*mdcd*' ! -path "*/$prefix")" ""
	ok "uninstalling twice is no error (/$prefix)" place uninstall "/$prefix"
done

# --- what was installed ---

rm -rf "$dir/dest"
place install-files /usr
at=$dir/dest/usr
ok "all may enter the directories" is "$(directories)" ""
ok "mdcd runs" quietly "$at/sbin/mdcd" --version
ok "mdcctl runs" quietly "$at/bin/mdcctl" --version
ok "the example is a valid configuration" quietly "$at/sbin/mdcd" --check \
	--config "$at/share/doc/mdcd/mdcd.conf"
for page in man1/mdcctl.1 man5/mdcd.conf.5 man8/mdcd.8; do
	file=$at/share/man/$page
	if command -v mandoc >/dev/null; then
		run mandoc -T lint -W warning "$file"
		ok "mandoc has nothing against ${page#*/}" is "$(cat "$dir/run.out" "$dir/run.err")" ""
	else
		skip "mandoc has nothing against ${page#*/}" 'no mandoc here'
	fi
	if command -v groff >/dev/null && [ -d /usr/share/groff ]; then
		run groff -mandoc -Tutf8 -ww "$file"
		ok "groff has nothing against ${page#*/}" is "$(cat "$dir/run.err")" ""
		ok "and renders it" has "$dir/run.out" 'mdc'
	else
		skip "groff has nothing against ${page#*/}" 'no groff here'
	fi
done

completes() { # completes WORD...: what bash offers for the last one
	bash -c '
		source "$1" || exit
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		eval "$(complete -p mdcctl | sed "s/.* -F \([^ ]*\).*/\1/")"
		printf "%s\n" "${COMPREPLY[@]}"' bash "$at/share/bash-completion/completions/mdcctl" "$@" \
		>"$dir/offered" 2>"$dir/run.err"
}
if command -v bash >/dev/null; then
	completes mdcctl sta
	ok "bash completes commands" is "$(cat "$dir/offered")" status
	completes mdcctl list --state com
	ok "and states" is "$(cat "$dir/offered")" compliant
	completes mdcctl explain ''
	ok "without a daemon it offers nothing for names" is "$(cat "$dir/offered")" ""
	ok "and does not complain" is "$(cat "$dir/run.err")" ""
else
	skip "bash completes commands" 'no bash here'
fi

if command -v systemd-analyze >/dev/null; then
	for file in /usr/lib/systemd/system/*.target /usr/lib/systemd/system/*.slice; do
		[ ! -e "$file" ] || cp "$file" "$at/lib/systemd/system/"
	done
	unit_verifies() { # it exits 0 whatever it says
		run systemd-analyze verify --man=no --root="$dir/dest" mdcd.service
		is "$status $(cat "$dir/run.out" "$dir/run.err")" '0 '
	}
	ok "the unit verifies without a word" unit_verifies
	for example in "$at"/share/doc/mdcd/*.conf.example; do
		drop_in=${example##*/}
		drop_in=${drop_in%.example}
		install -D -m 644 "$example" "$dir/dest/etc/systemd/system/mdcd.service.d/$drop_in"
		ok "so it does with $drop_in" unit_verifies
		ok "whose head says where it goes ($drop_in)" \
			has "$example" "Install as /etc/systemd/system/mdcd.service.d/$drop_in$"
	done
else
	skip "the unit verifies without a word" 'no systemd-analyze here'
fi
finish
