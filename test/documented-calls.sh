#!/bin/bash
# The calls of koor-cli for rules, contracts, compliance and templates as they have always been documented, in the words in which
# people's scripts have them. Run by documented-calls.test.ts in an empty directory, with KOOR_SERVER set and SERVICE the
# address of a service that keeps to the contract's first endpoint only. Nothing here is to be changed to suit koor-cli.
set -eu

# Says what a call ended with where it is meant to end otherwise than well.
ends() { local want=$1; shift; local got=0; "$@" || got=$?; echo "exit $got"; [ "$got" = "$want" ]; }

cat > rules.json <<'JSON'
[{"project":"shop","rule_id":"no-todo","severity":"warning","pattern":"(?i)todo","message":"Finish it"},{"project":"shop","rule_id":"mine","pattern":"x","source":"local"}]
JSON
cat > contract.json <<'JSON'
{"kind":"contract","version":1,"endpoints":{
  "POST /api/orders":{"request":{"id":{"type":"string","required":true}},"response":{"id":{"type":"string"}},"response_status":201},
  "GET /api/orders":{"response_array":{"id":{"type":"string","required":true}}}}}
JSON

echo "# rules"
koor-cli rules import --file rules.json
koor-cli rules export
koor-cli rules export --source local,learned
koor-cli rules export --source local,external --output exported.json
koor-cli rules import --file exported.json

echo "# contract"
koor-cli contract set shop/orders --file contract.json
koor-cli contract set shop/copy --data '{"kind":"contract","version":1,"endpoints":{}}'
koor-cli contract get shop/orders
koor-cli contract validate shop/orders --endpoint "POST /api/orders" --payload '{"id":"a"}'
ends 1 koor-cli contract validate shop/orders --endpoint "POST /api/orders" --payload '{"id":7,"more":1}'
koor-cli contract validate shop/orders --endpoint "POST /api/orders" --payload '{"id":"a"}' --direction response
ends 1 koor-cli contract test shop/orders --target "$SERVICE"

echo "# compliance"
id=$(koor-cli register backend --workspace shop | sed 's/^{"id":"\([^"]*\)".*/\1/')
koor-cli activate "$id" > /dev/null
koor-cli compliance run
koor-cli compliance history
koor-cli compliance history --instance_id "$id" --limit 1

echo "# templates"
koor-cli templates create --id base --name base --kind rules --file rules.json --tags go,service
koor-cli templates create --id api --name orders --kind contracts --file contract.json
koor-cli templates list
koor-cli templates list --kind rules --tag go
koor-cli templates get base
koor-cli templates apply base --project other
koor-cli templates apply api --project other
koor-cli contract validate other/orders --endpoint "POST /api/orders" --payload '{"id":"a"}'
koor-cli templates delete base
ends 3 koor-cli templates get base 2> /dev/null
