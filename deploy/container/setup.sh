#!/bin/sh
# Makes an installation in the database: schema, CAs, and a login for each kind of node. Can be run again.
set -eu
config=/etc/portreeve/portreeve.toml

portreeve migrate apply --config "$config"
for ca in root issuing management; do
    # One that is there already stays as it is.
    portreeve ca create "$ca" --config "$config" --subject "CN=Portreeve $ca CA" || portreeve ca export "$ca" --config "$config" >/dev/null
done

script=$(mktemp)
trap 'rm -f "$script"' EXIT
{
    portreeve migrate roles --config "$config"
    for node in edge worker; do
        # postgres://USER:PASSWORD@HOST/DATABASE, as secrets.sh writes it
        password=$(sed 's|^postgres://[^:]*:\([^@]*\)@.*|\1|' "/run/secrets/database_$node")
        roles=portreeve_edge
        [ "$node" = worker ] && roles=portreeve_worker,portreeve_status,portreeve_console
        cat <<SQL
DO \$\$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$node') THEN
        CREATE ROLE $node LOGIN IN ROLE $roles;
    END IF;
END \$\$;
ALTER ROLE $node PASSWORD '$password';
SQL
    done
} >"$script"
# The URL is read by psql from the environment of this one command, where no list of processes shows it.
PGSERVICEFILE=$(mktemp)
export PGSERVICEFILE
printf '[owner]\nhost=postgres\nport=5432\ndbname=portreeve\nuser=owner\npassword=%s\nsslmode=disable\n' \
    "$(sed 's|^postgres://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/database_owner)" >"$PGSERVICEFILE"
psql --quiet --set ON_ERROR_STOP=1 --file "$script" service=owner
rm -f "$PGSERVICEFILE"
