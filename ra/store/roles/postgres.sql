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

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['portreeve_edge', 'portreeve_worker', 'portreeve_status', 'portreeve_console'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(), name);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
    END LOOP;
END
$$;

-- What every node reads and writes.
GRANT SELECT ON schema_version, installation, installation_value, record, claim, reservation, task, lease, document,
    document_key, request, certificate, revoked, probe
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT ON record TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT USAGE ON SEQUENCE record_sequence TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT, UPDATE, DELETE ON document, document_key
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;
GRANT INSERT, UPDATE ON lease, probe TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console;

-- An edge receives: it takes claims, spends nonces and creates work; it neither does work nor shows certificates.
GRANT INSERT, UPDATE ON claim, request TO portreeve_edge, portreeve_console;
GRANT INSERT ON spent, task TO portreeve_edge, portreeve_console;
GRANT INSERT, UPDATE, DELETE ON reservation TO portreeve_edge, portreeve_console;

-- A worker decides, issues, sweeps, and makes the partitions of the time to come.
GRANT INSERT, UPDATE, DELETE ON claim, reservation, task TO portreeve_worker;
GRANT SELECT, INSERT, DELETE ON spent TO portreeve_worker;
GRANT UPDATE ON spent TO portreeve_worker;
GRANT INSERT, UPDATE ON request, certificate, revoked TO portreeve_worker;
GRANT EXECUTE ON FUNCTION make_partitions(integer) TO portreeve_worker;

-- Keys of CAs: a worker signs certificates, a status node signs CRLs. Both open them in their signer only.
GRANT SELECT ON sealed_key TO portreeve_worker, portreeve_status;

DROP POLICY IF EXISTS sealed_key_read ON sealed_key;
CREATE POLICY sealed_key_read ON sealed_key FOR SELECT TO portreeve_worker, portreeve_status USING (true);

-- Records are read by all and written by each role in its own name.
DROP POLICY IF EXISTS record_read ON record;
CREATE POLICY record_read ON record FOR SELECT
    TO portreeve_edge, portreeve_worker, portreeve_status, portreeve_console USING (true);
DROP POLICY IF EXISTS record_edge ON record;
CREATE POLICY record_edge ON record FOR INSERT TO portreeve_edge WITH CHECK (record_purpose(header) = 1);
DROP POLICY IF EXISTS record_worker ON record;
CREATE POLICY record_worker ON record FOR INSERT TO portreeve_worker WITH CHECK (record_purpose(header) = 2);
DROP POLICY IF EXISTS record_status ON record;
CREATE POLICY record_status ON record FOR INSERT TO portreeve_status WITH CHECK (record_purpose(header) = 3);
DROP POLICY IF EXISTS record_console ON record;
CREATE POLICY record_console ON record FOR INSERT TO portreeve_console WITH CHECK (record_purpose(header) = 4);
