#!/bin/sh
# Makes what compose.yaml reads from ./secrets, once. Keep a copy of the kek files apart from the database: without them
# nothing that is sealed can be opened again.
set -eu
umask 077
mkdir -p secrets
cd secrets
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

for key in kek kek_edge kek_worker kek_status kek_console kek_ca kek_audit; do
    [ -e "$key" ] || random >"$key"
done
[ -e database_password ] || random >database_password
# Inside the network of the compose file; a server elsewhere wants sslmode=verify-full and sslrootcert.
url() { printf 'postgres://%s:%s@postgres/portreeve?sslmode=disable' "$1" "$2"; }
[ -e database_owner ] || url owner "$(cat database_password)" >database_owner
for node in edge worker; do
    [ -e "database_$node" ] || url "$node" "$(random)" >"database_$node"
done
# The containers' user must be able to read them, and nobody else.
if [ "$(id -u)" = 0 ]; then
    chown 65532:65532 ./*
else
    echo "now as root: chown 65532:65532 secrets/*" >&2
fi
