#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mdcctl preflight with real processes: an identity that may only read, in a scope that enforces,
# is told exactly the roles that it lacks; with them nothing is missing. The custom role that
# mdcctl prints without a daemon is all that the daemon and the preflight need.
. "${0%/*}/lib.sh"
needs perl
needs_programs

subscription=30000000-0000-4000-8000-000000000001
arc='Azure Connected Machine Resource Administrator'
write_estate() { # write_estate ROLES: to estate.json
	cat >"$dir/estate.json" <<END
{ "tenants": [{ "id": "$tenant", "name": "test" }],
  "behaviour": { "deployer": { "on": false }, "operations": { "create": "5s" } },
  "principals": [{ "tenant": "$tenant", "client": "$client", "secret": "estate-secret",
                   "roles": $1 }],
  "subscriptions": [
    { "id": "$subscription", "tenant": "$tenant", "name": "prod-1",
      "machines": [{ "name": "web1", "group": "rg", "osType": "Linux", "os": "Ubuntu 22.04.4 LTS" }] },
    { "id": "30000000-0000-4000-8000-000000000002", "tenant": "$tenant", "name": "prod-2",
      "locks": [{ "name": "freeze", "level": "ReadOnly" }] }] }
END
}
start() { # start ROLES: an estate, and a daemon that has not been confirmed
	write_estate "$1"
	start_azsim --estate "$dir/estate.json"
	write_config
	rm -rf "$dir/state"
	start_mdcd
}
stop() {
	stop_mdcd
	end TERM "$azsim"
}
preflight() { run "$build/mdcctl" --socket "$control" preflight "$@"; }

# --- a reader ---

start '[{ "scope": "/", "role": "Reader" }]'
preflight
ok "a reader who shall correct lacks something: status 2" is "$status" 2
cat >"$dir/expected" <<END
Missing:

role: Microsoft.HybridCompute/machines/extensions/delete, Microsoft.HybridCompute/machines/extensions/write
  in          prod-1, prod-2
  identity    test
  what helps  az role assignment create --assignee $client --role "$arc" --scope /subscriptions/SUBSCRIPTION

role: Microsoft.Security/pricings/write, Microsoft.Security/settings/write
  in          prod-1, prod-2
  identity    test
  what helps  az role assignment create --assignee $client --role "Security Admin" --scope /subscriptions/SUBSCRIPTION

lock: lock "freeze" (ReadOnly) on the subscription
  in          prod-2
  identity    test
  what helps  az lock delete --name freeze --subscription 30000000-0000-4000-8000-000000000002

Not proven:

  sensors     the inventory of Defender for Endpoint: none has been read; it takes "defender" in the cloud of an identity, and a first pass over machines

3 things are missing in 2 subscriptions.
END
ok "exactly that is told, each with what helps" diff "$dir/expected" "$dir/run.out"
ok "and nothing else" is "$(cat "$dir/run.err")" ''
preflight -o json
ok "the same for programs: status 2" is "$status" 2
ok "with the verdict" is "$(json verdict <"$dir/run.out")" missing
ok "and ids" is "$(json missing.0.subscriptions.0.id <"$dir/run.out")" "$subscription"
stop

# --- what was missing is given ---

start "[{ \"scope\": \"/\", \"role\": \"Reader\" }, { \"scope\": \"/\", \"role\": \"Security Admin\" },
	{ \"scope\": \"/subscriptions/$subscription\", \"role\": \"$arc\" }]"
preflight
ok "what was given is not missed any more" is "$(grep -c '^role: ' "$dir/run.out")" 1
ok "where it was given" has "$dir/run.out" "  in          prod-2"
stop

# --- the custom role ---

mode=enforce
write_config
run "$build/mdcctl" preflight --role --config "$dir/mdcd.conf"
cp "$dir/run.out" "$dir/role.json"
ok "the smallest role needs no daemon" is "$status" 0
ok "it is a custom role" has "$dir/role.json" '"IsCustom": true'
ok "for the tenant's root group, since all subscriptions are meant" \
	is "$(json AssignableScopes.0 <"$dir/role.json")" \
	"/providers/Microsoft.Management/managementGroups/$tenant"
start "[{ \"scope\": \"/\", \"actions\": $(json Actions <"$dir/role.json") }]"
preflight
ok "with it nothing but the lock is in the way" is "$(grep -c 'what helps' "$dir/run.out")" 1
ok "which is told" has "$dir/run.out" '^lock: '
ok "and everything could be read" lacks "$dir/run.out" 'Not known'
confirm
protected() { ctl list --control mde-extension --state compliant -o name | grep -q web1; }
ok "with it the daemon protects its machine" wait_for protected
stop

# --- what is refused ---

printf 'nonsense = 1\n' >"$dir/bad.conf"
run "$build/mdcctl" preflight --role --config "$dir/bad.conf"
ok "a wrong configuration has no role: status 78" is "$status" 78
run "$build/mdcctl" preflight --role --scope nowhere --config "$dir/mdcd.conf"
ok "neither has a scope that is not there" is "$status" 1
ok "which is said" has "$dir/run.err" 'no scope "nowhere"'
run "$build/mdcctl" preflight --scope all
ok "a scope belongs to the role" has "$dir/run.err" 'with --role only'
finish
