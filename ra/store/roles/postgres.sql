-- Roles of the nodes of an installation, one for each role a node can play.
--
-- Run it as the owner of the schema, with the right to make roles, after every `portreeve migrate apply`:
--     portreeve migrate roles | psql "$OWNER_URL"
-- It can be run again. The roles cannot log in; make one that can for each node and put it into those it plays:
--     CREATE ROLE gateway1 LOGIN PASSWORD '…' IN ROLE portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
--     CREATE ROLE gateway2 LOGIN PASSWORD '…' IN ROLE portreeve_edge;
-- The owner is for `migrate` and `ca create`, and no node needs its password.
--
-- What the database keeps apart: an edge cannot read the keys of CAs, and no role can write a record in the name of
-- another, change one, or remove one. What it does not keep apart: every role can read every record and document, and
-- spoil what it may write. That is found by whoever reads: records are signed, documents sealed.

SET client_min_messages = warning;

-- Names are looked up in this schema and among the server's own, whatever the session says besides. What stands before
-- the rights are taken away below is written out, for who could create in the schema so far.
DO $$
DECLARE
    name text;
BEGIN
    PERFORM pg_catalog.set_config('search_path',
        pg_catalog.quote_ident(pg_catalog.current_schema()::text) OPERATOR(pg_catalog.||) ', pg_temp', false);
    FOREACH name IN ARRAY ARRAY['portreeve_edge', 'portreeve_worker', 'portreeve_status', 'portreeve_console'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) name::name) THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        EXECUTE pg_catalog.format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', pg_catalog.current_schema(), name);
        EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %I', pg_catalog.current_schema(), name);
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', pg_catalog.current_schema(), name);
    END LOOP;
    -- Whoever may create in the schema could put a function or an operator before those of the server, and have the
    -- owner's functions call it. PostgreSQL 13 and 14 let everybody create in `public`.
    EXECUTE pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', pg_catalog.current_schema());
END
$$;

-- What every node reads and writes.
GRANT SELECT ON schema_version, installation, installation_value, record, claim, reservation, task, lease, document,
    document_key, request, certificate, certificate_name, revoked, registration, secret, probe
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT ON record TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT USAGE ON SEQUENCE record_sequence TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT, UPDATE, DELETE ON document, document_key
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT, UPDATE ON probe TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;

-- Duties: sweeping is a worker's, signing CRLs a status node's. Who could take one could keep it from being done.
GRANT INSERT, UPDATE ON lease TO portreeve_worker, portreeve_status;

-- An edge receives: it takes claims, spends nonces and creates work; it neither does work nor shows certificates.
GRANT INSERT, UPDATE ON claim, request TO portreeve_edge, portreeve_console;
GRANT INSERT ON spent, task TO portreeve_edge, portreeve_console;
GRANT INSERT, UPDATE, DELETE ON reservation TO portreeve_edge, portreeve_console;

-- A console says who may have what.
GRANT INSERT, UPDATE ON registration, secret TO portreeve_console;

-- A worker decides, issues, sweeps, and makes the partitions of the time to come.
GRANT INSERT, UPDATE, DELETE ON claim, reservation, task TO portreeve_worker;
GRANT SELECT, INSERT, DELETE ON spent TO portreeve_worker;
GRANT UPDATE ON spent TO portreeve_worker;
GRANT INSERT, UPDATE ON request, certificate TO portreeve_worker;
GRANT INSERT ON certificate_name TO portreeve_worker;
GRANT INSERT, UPDATE, DELETE ON revoked TO portreeve_worker;
GRANT UPDATE, DELETE ON secret TO portreeve_worker;
GRANT EXECUTE ON FUNCTION make_partitions(integer) TO portreeve_worker;

-- Keys of CAs: a worker signs certificates, a status node signs CRLs. Both open them in their signer only.
GRANT SELECT ON sealed_key TO portreeve_worker, portreeve_status;

-- The audit log: a worker seals, a console shows proofs and erases. Whoever can write leaves can spoil the log, and not
-- unseen: checkpoints of it lie outside.
GRANT SELECT ON audit_leaf, audit_node, audit_tree, audit_checkpoint TO portreeve_worker, portreeve_console;
GRANT INSERT ON audit_leaf, audit_node, audit_checkpoint TO portreeve_worker;
GRANT UPDATE ON audit_tree TO portreeve_worker;
GRANT DELETE ON audit_checkpoint TO portreeve_worker;
GRANT EXECUTE ON FUNCTION audit_erase(bigint, bytea, bigint) TO portreeve_console;

DROP POLICY IF EXISTS sealed_key_read ON sealed_key;
CREATE POLICY sealed_key_read ON sealed_key FOR SELECT TO portreeve_worker, portreeve_status USING (true);

-- Records are read by all and written by each role in its own name.
DROP POLICY IF EXISTS record_read ON record;
CREATE POLICY record_read ON record FOR SELECT
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console USING (true);
DROP POLICY IF EXISTS record_edge ON record;
CREATE POLICY record_edge ON record FOR INSERT TO portreeve_edge
    WITH CHECK (record_purpose(header) = 1 AND kind IN (1, 3, 4, 6, 7, 11));
DROP POLICY IF EXISTS record_worker ON record;
CREATE POLICY record_worker ON record FOR INSERT TO portreeve_worker
    WITH CHECK (record_purpose(header) = 2 AND kind IN (1, 2, 6, 7, 9, 11, 12));
DROP POLICY IF EXISTS record_status ON record;
CREATE POLICY record_status ON record FOR INSERT TO portreeve_status
    WITH CHECK (record_purpose(header) = 3 AND kind = 6);
DROP POLICY IF EXISTS record_console ON record;
CREATE POLICY record_console ON record FOR INSERT TO portreeve_console
    WITH CHECK (record_purpose(header) = 4 AND kind IN (1, 2, 5, 6, 10, 11, 12, 13));

-- Work is made by all who receive or decide, as new, and done by workers.
DROP POLICY IF EXISTS task_read ON task;
CREATE POLICY task_read ON task FOR SELECT
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console USING (true);
DROP POLICY IF EXISTS task_new ON task;
CREATE POLICY task_new ON task FOR INSERT TO portreeve_edge, portreeve_console
    WITH CHECK (fence = 0 AND attempts = 0 AND holder IS NULL);
DROP POLICY IF EXISTS task_worker ON task;
CREATE POLICY task_worker ON task FOR ALL TO portreeve_worker USING (true) WITH CHECK (true);

-- Documents belong to the role that seals them; a worker makes the TLS certificates of edges, and sweeps.
DROP POLICY IF EXISTS document_read ON document;
CREATE POLICY document_read ON document FOR SELECT
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console USING (true);
DROP POLICY IF EXISTS document_edge ON document;
CREATE POLICY document_edge ON document FOR ALL TO portreeve_edge
    USING (kind LIKE 'acme.%') WITH CHECK (kind LIKE 'acme.%');
DROP POLICY IF EXISTS document_status ON document;
CREATE POLICY document_status ON document FOR ALL TO portreeve_status
    USING (kind LIKE 'status.%') WITH CHECK (kind LIKE 'status.%');
DROP POLICY IF EXISTS document_console ON document;
CREATE POLICY document_console ON document FOR ALL TO portreeve_console
    USING (kind LIKE 'console.%') WITH CHECK (kind LIKE 'console.%');
DROP POLICY IF EXISTS document_worker ON document;
CREATE POLICY document_worker ON document FOR ALL TO portreeve_worker USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS document_key_read ON document_key;
CREATE POLICY document_key_read ON document_key FOR SELECT
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console USING (true);
DROP POLICY IF EXISTS document_key_edge ON document_key;
CREATE POLICY document_key_edge ON document_key FOR ALL TO portreeve_edge
    USING (kind LIKE 'acme.%') WITH CHECK (kind LIKE 'acme.%');
DROP POLICY IF EXISTS document_key_status ON document_key;
CREATE POLICY document_key_status ON document_key FOR ALL TO portreeve_status
    USING (kind LIKE 'status.%') WITH CHECK (kind LIKE 'status.%');
DROP POLICY IF EXISTS document_key_console ON document_key;
CREATE POLICY document_key_console ON document_key FOR ALL TO portreeve_console
    USING (kind LIKE 'console.%') WITH CHECK (kind LIKE 'console.%');
DROP POLICY IF EXISTS document_key_worker ON document_key;
CREATE POLICY document_key_worker ON document_key FOR ALL TO portreeve_worker USING (true) WITH CHECK (true);
