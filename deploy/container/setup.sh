#!/bin/sh
# Makes an installation in the database: schema, CAs, and a login for each kind of node. Can be run again.
set -eu
config=/etc/portreeve/portreeve.toml
owner=$(cat /run/secrets/database_owner)

portreeve migrate apply --config "$config"
for ca in root issuing management; do
    # One that is there already stays as it is.
    portreeve ca create "$ca" --config "$config" --subject "CN=Portreeve $ca CA" || portreeve ca export "$ca" --config "$config" >/dev/null
done

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
} | psql --quiet --set ON_ERROR_STOP=1 "$owner"
