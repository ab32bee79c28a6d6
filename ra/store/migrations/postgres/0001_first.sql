-- Times are milliseconds since 1970 (UTC), identifiers are 16 octets, digests 32. README.md explains each table.

-- What happened, as signed records. `sequence` is the order in which records were written.
--
-- A unique index of a partitioned table must contain what the table is partitioned by. Streams whose id is a UUIDv7 sort
-- by time, so `stream` itself serves: enrollments (1), proposals (2), accounts (3) and refusals (7) lie in one partition
-- for each quarter. The ids of the other streams are digests: they lie together.
CREATE SEQUENCE record_sequence;
CREATE TABLE record (
    sequence       bigint NOT NULL DEFAULT nextval('record_sequence') CHECK (sequence > 0),
    kind           bigint NOT NULL,
    stream         bytea  NOT NULL CHECK (octet_length(stream) = 16),
    position       bigint NOT NULL CHECK (position > 0),
    header         bytea  NOT NULL,
    payload_digest bytea  NOT NULL,
    salt           bytea,
    payload        bytea,
    key            bytea  NOT NULL,
    signature      bytea  NOT NULL,
    CONSTRAINT record_place UNIQUE (kind, stream, position)
) PARTITION BY LIST (kind);
CREATE TABLE record_by_time PARTITION OF record FOR VALUES IN (1, 2, 3, 7) PARTITION BY RANGE (stream);
CREATE TABLE record_by_time_rest PARTITION OF record_by_time DEFAULT;
CREATE TABLE record_by_subject PARTITION OF record DEFAULT;

-- From a client's handle to an enrollment.
CREATE TABLE claim (
    key        bytea  NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    requester  bytea  NOT NULL,
    digest     bytea  NOT NULL CHECK (octet_length(digest) = 32),
    enrollment bytea  NOT NULL CHECK (octet_length(enrollment) = 16),
    until      bigint NOT NULL
);
CREATE INDEX claim_until ON claim (until);

-- Values that are good once.
CREATE TABLE spent (
    key   bytea  NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    until bigint NOT NULL
);
CREATE INDEX spent_until ON spent (until);

-- Unique keys that lead to a stream.
CREATE TABLE reservation (
    space  bigint NOT NULL,
    key    bytea  NOT NULL CHECK (octet_length(key) = 32),
    kind   bigint NOT NULL,
    stream bytea  NOT NULL CHECK (octet_length(stream) = 16),
    PRIMARY KEY (space, key)
);

-- Background work. `ready_at` is when it may be claimed: when it is due, or when its lease ends.
CREATE TABLE task (
    id           bytea  NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    kind         bigint NOT NULL CHECK (kind IN (1, 2)),
    subject_kind bigint NOT NULL CHECK (subject_kind BETWEEN 1 AND 13),
    subject      bytea  NOT NULL CHECK (octet_length(subject) = 16),
    due          bigint NOT NULL,
    ready_at     bigint NOT NULL,
    attempts     bigint NOT NULL CHECK (attempts >= 0),
    fence        bigint NOT NULL CHECK (fence >= 0),
    holder       bytea
);
CREATE INDEX task_ready ON task (ready_at, id);
CREATE INDEX task_holder ON task (holder) WHERE holder IS NOT NULL;

-- Duties that one node does at a time.
CREATE TABLE lease (
    duty  text   NOT NULL PRIMARY KEY,
    node  bytea  NOT NULL CHECK (octet_length(node) = 16),
    fence bigint NOT NULL,
    until bigint NOT NULL
);

-- A protocol's private state, sealed. `sequence` is the order of creation.
CREATE TABLE document (
    sequence   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text   NOT NULL,
    id         bytea  NOT NULL CHECK (octet_length(id) = 16),
    version    bigint NOT NULL CHECK (version > 0),
    sealed     bytea  NOT NULL,
    expires_at bigint,
    CONSTRAINT document_id UNIQUE (kind, id)
);
-- What is sealed does not compress.
ALTER TABLE document ALTER COLUMN sealed SET STORAGE EXTERNAL;
CREATE INDEX document_expires ON document (expires_at) WHERE expires_at IS NOT NULL;

-- Secondary keys of documents; `only_one` says that no other document of the kind may have it.
CREATE TABLE document_key (
    kind     text    NOT NULL,
    name     text    NOT NULL,
    value    bytea   NOT NULL,
    document bigint  NOT NULL REFERENCES document (sequence) ON DELETE CASCADE,
    only_one boolean NOT NULL,
    PRIMARY KEY (kind, name, value, document)
);
CREATE INDEX document_key_document ON document_key (document);
CREATE UNIQUE INDEX document_key_only_one ON document_key (kind, name, value) WHERE only_one;

-- What follows only finds and shows. Enrollments are UUIDv7: one partition for each quarter.
CREATE TABLE request (
    enrollment    bytea  NOT NULL PRIMARY KEY CHECK (octet_length(enrollment) = 16),
    endpoint      text   NOT NULL,
    requester     text   NOT NULL,
    names         text   NOT NULL,
    profile       text   NOT NULL,
    backend       text   NOT NULL,
    state         text   NOT NULL,
    proposal      bytea,
    key           bytea  NOT NULL CHECK (octet_length(key) = 32),
    key_algorithm text   NOT NULL,
    cn            text   NOT NULL,
    sans          text   NOT NULL,
    registration  text,
    team          text,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
) PARTITION BY RANGE (enrollment);
CREATE TABLE request_rest PARTITION OF request DEFAULT;
CREATE INDEX request_state ON request (state, enrollment);
CREATE INDEX request_endpoint ON request (endpoint, enrollment);
CREATE INDEX request_registration ON request (registration, enrollment) WHERE registration IS NOT NULL;
-- What teams own is looked for by whoever may see no more than that of their own.
CREATE INDEX request_team ON request (team, enrollment) WHERE team IS NOT NULL;
-- Most requests never wait, and cost these nothing.
CREATE INDEX request_waiting_requester ON request (requester, enrollment) WHERE state = 'awaiting_approval';
CREATE INDEX request_waiting_profile ON request (profile, enrollment) WHERE state = 'awaiting_approval';
CREATE INDEX request_waiting_team ON request (team, enrollment) WHERE state = 'awaiting_approval' AND team IS NOT NULL;

CREATE TABLE certificate (
    enrollment      bytea  NOT NULL PRIMARY KEY CHECK (octet_length(enrollment) = 16),
    backend         text   NOT NULL,
    serial          bytea  NOT NULL CHECK (octet_length(serial) = 20),
    names           text   NOT NULL,
    key             bytea  NOT NULL CHECK (octet_length(key) = 32),
    key_algorithm   text   NOT NULL,
    fingerprint     bytea  NOT NULL CHECK (octet_length(fingerprint) = 32),
    not_before      bigint NOT NULL,
    not_after       bigint NOT NULL,
    endpoint        text   NOT NULL,
    profile         text   NOT NULL,
    profile_version bigint NOT NULL,
    requester       text   NOT NULL,
    cn              text   NOT NULL,
    sans            text   NOT NULL,
    registration    text,
    team            text,
    issued_at       bigint NOT NULL,
    reason          bigint,
    revoked_at      bigint
) PARTITION BY RANGE (enrollment);
CREATE TABLE certificate_rest PARTITION OF certificate DEFAULT;
CREATE INDEX certificate_serial ON certificate (serial, enrollment);
CREATE INDEX certificate_fingerprint ON certificate (fingerprint, enrollment);
CREATE INDEX certificate_key ON certificate (key, enrollment);
CREATE INDEX certificate_requester ON certificate (requester, enrollment);
CREATE INDEX certificate_profile ON certificate (profile, enrollment);
CREATE INDEX certificate_endpoint ON certificate (endpoint, enrollment);
CREATE INDEX certificate_registration ON certificate (registration, enrollment) WHERE registration IS NOT NULL;
CREATE INDEX certificate_team ON certificate (team, enrollment) WHERE team IS NOT NULL;
CREATE INDEX certificate_not_after ON certificate (not_after, enrollment);
CREATE INDEX certificate_issued ON certificate (issued_at, enrollment);
CREATE INDEX certificate_revoked ON certificate (revoked_at, enrollment) WHERE revoked_at IS NOT NULL;

-- Exact names of certificates, in lower case; a long one by its digest. `kinds`: 1 common name, 2 alternative name, 3 both.
CREATE TABLE certificate_name (
    name       text   NOT NULL,
    enrollment bytea  NOT NULL CHECK (octet_length(enrollment) = 16),
    kinds      bigint NOT NULL,
    PRIMARY KEY (name, enrollment)
) PARTITION BY RANGE (enrollment);
CREATE TABLE certificate_name_rest PARTITION OF certificate_name DEFAULT;
-- Those of an enrollment are erased together.
CREATE INDEX certificate_name_enrollment ON certificate_name (enrollment);

CREATE TABLE revoked (
    enrollment bytea  NOT NULL PRIMARY KEY CHECK (octet_length(enrollment) = 16),
    backend    text   NOT NULL,
    serial     bytea  NOT NULL CHECK (octet_length(serial) = 20),
    reason     bigint NOT NULL,
    revoked_at bigint NOT NULL,
    not_after  bigint NOT NULL
) PARTITION BY RANGE (enrollment);
CREATE TABLE revoked_rest PARTITION OF revoked DEFAULT;
CREATE INDEX revoked_serial ON revoked (backend, serial, enrollment);

CREATE TABLE registration (
    registration bytea NOT NULL PRIMARY KEY CHECK (octet_length(registration) = 16),
    name         text NOT NULL,
    team         text,
    state        text NOT NULL,
    vouched      bigint NOT NULL,
    until        bigint
);
CREATE INDEX registration_vouched ON registration (vouched, registration) WHERE vouched = 1;

-- Secrets are listed until some time after their time is over.
CREATE TABLE secret (
    secret     bytea NOT NULL PRIMARY KEY CHECK (octet_length(secret) = 16),
    owner      text NOT NULL,
    kind       bigint NOT NULL,
    reference  text NOT NULL,
    state      text NOT NULL,
    until      bigint,
    created_at bigint NOT NULL
);
CREATE INDEX secret_owner ON secret (owner, secret);
CREATE INDEX secret_kind ON secret (kind, secret);
CREATE INDEX secret_until ON secret (until) WHERE until IS NOT NULL;

-- One row each: which installation this is, and what a probe last wrote.
CREATE TABLE installation (
    singleton  bigint NOT NULL PRIMARY KEY CHECK (singleton = 1),
    id         bytea  NOT NULL CHECK (octet_length(id) = 16),
    made_by    text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE probe (
    singleton bigint NOT NULL PRIMARY KEY CHECK (singleton = 1),
    at        bigint NOT NULL
);

-- What is needed before any sealer exists: the wrapped keyset.
CREATE TABLE installation_value (
    name  text  NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

-- The sealed keys of CAs, in a table of their own, which the database denies to those who have no business with them.
CREATE TABLE sealed_key (
    name  text  NOT NULL PRIMARY KEY,
    value bytea NOT NULL
);

-- Whoever is not the owner sees and writes what a policy of roles/postgres.sql lets through; without one, nothing.
ALTER TABLE record ENABLE ROW LEVEL SECURITY;
ALTER TABLE task ENABLE ROW LEVEL SECURITY;
ALTER TABLE document ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE sealed_key ENABLE ROW LEVEL SECURITY;

-- Which role signed a record: the octet at a fixed place of the header (docs/event-format.md); NULL for a header of
-- another form. Policies look at the signed octets themselves, so that no column can say something else. Whoever
-- inserts chooses where names are looked up, so none is left open.
CREATE FUNCTION record_purpose(header bytea) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN pg_catalog.octet_length(header) OPERATOR(pg_catalog.>) 58
            AND pg_catalog.get_byte(header, 0) OPERATOR(pg_catalog.=) 1
        THEN pg_catalog.get_byte(header, 58)
    END
$$;

-- The store's time: what a test gives, else the database's clock.
CREATE FUNCTION store_time(given bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(given, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$$;

-- The parts of a commit, run with the rights of whoever commits; a session of a node looks names up in this schema and
-- among the server's own (postgres/connect.rs), and nobody but the owner may create in it. Each takes what the one before gave back, the store's time, so that a batch is one statement
-- that nests them, and runs them in this order: SELECT commit_records(commit_spends(store_time($1), $2, $3), $4, ...).
-- A conflict ends the statement and with it everything: its code says what, its detail which of them, from 1.

CREATE FUNCTION commit_spends(moment bigint, keys bytea[], untils bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    INSERT INTO spent (key, until) SELECT * FROM unnest(keys, untils) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < cardinality(keys) THEN
        RAISE EXCEPTION 'value was spent before' USING ERRCODE = 'PV001', DETAIL = '1';
    END IF;
    RETURN moment;
END
$$;

-- A change without a wait completes its task; else the task is due so much later.
CREATE FUNCTION commit_task_changes(moment bigint, ids bytea[], fences bigint[], waits bigint[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT * FROM unnest(ids, fences, waits) WITH ORDINALITY AS given (id, fence, wait, place) LOOP
        IF item.wait IS NULL THEN
            DELETE FROM task t WHERE t.id = item.id AND t.fence = item.fence AND t.holder IS NOT NULL;
        ELSE
            UPDATE task t SET due = moment + item.wait, ready_at = moment + item.wait, holder = NULL
            WHERE t.id = item.id AND t.fence = item.fence AND t.holder IS NOT NULL;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'task is held by somebody else' USING ERRCODE = 'PV002', DETAIL = item.place;
        END IF;
    END LOOP;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_claims(
    moment bigint, keys bytea[], requesters bytea[], digests bytea[], enrollments bytea[], untils bigint[],
    giving_way bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM unnest(keys, requesters, digests, enrollments, untils, giving_way)
            WITH ORDINALITY AS given (key, requester, digest, enrollment, until, gives_way, place)
    LOOP
        INSERT INTO claim AS c (key, requester, digest, enrollment, until)
        VALUES (item.key, item.requester, item.digest, item.enrollment, item.until)
        ON CONFLICT (key) DO UPDATE SET requester = excluded.requester, digest = excluded.digest,
            enrollment = excluded.enrollment, until = excluded.until
        WHERE c.until <= moment OR c.enrollment = excluded.enrollment OR c.enrollment = item.gives_way;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'claim is taken' USING ERRCODE = 'PV003', DETAIL = item.place;
        END IF;
    END LOOP;
    RETURN moment;
END
$$;

-- A record follows the last of its stream. Two writers of one place both pass the look at the last one; then the
-- unique index lets the second wait for the first, and do nothing.
CREATE FUNCTION commit_records(
    moment bigint, kinds bigint[], streams bytea[], positions bigint[], headers bytea[], digests bytea[],
    salts bytea[], payloads bytea[], keys bytea[], signatures bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM unnest(kinds, streams, positions, headers, digests, salts, payloads, keys, signatures)
            WITH ORDINALITY
            AS given (kind, stream, position, header, payload_digest, salt, payload, key, signature, place)
    LOOP
        INSERT INTO record (kind, stream, position, header, payload_digest, salt, payload, key, signature)
        SELECT item.kind, item.stream, item.position, item.header, item.payload_digest, item.salt, item.payload,
            item.key, item.signature
        WHERE item.position - 1 = (
            SELECT coalesce(max(r.position), 0) FROM record r WHERE r.kind = item.kind AND r.stream = item.stream
        )
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'stream has moved on' USING ERRCODE = 'PV004', DETAIL = item.place;
        END IF;
    END LOOP;
    RETURN moment;
END
$$;

-- A reservation without a stream gives its key up.
CREATE FUNCTION commit_reservations(
    moment bigint, spaces bigint[], keys bytea[], kinds bigint[], streams bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM unnest(spaces, keys, kinds, streams) WITH ORDINALITY AS given (space, key, kind, stream, place)
    LOOP
        IF item.stream IS NULL THEN
            DELETE FROM reservation r WHERE r.space = item.space AND r.key = item.key;
            CONTINUE;
        END IF;
        INSERT INTO reservation AS r (space, key, kind, stream)
        VALUES (item.space, item.key, item.kind, item.stream)
        ON CONFLICT (space, key) DO UPDATE SET stream = excluded.stream
        WHERE r.kind = excluded.kind AND r.stream = excluded.stream;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'reservation is taken' USING ERRCODE = 'PV005', DETAIL = item.place;
        END IF;
    END LOOP;
    RETURN moment;
END
$$;

-- A document without a body is deleted; version 1 creates, a later one replaces the one before it. Keys name their
-- document by its place.
CREATE FUNCTION commit_documents(
    moment bigint, kinds text[], ids bytea[], versions bigint[], bodies bytea[], expiries bigint[],
    key_documents bigint[], key_names text[], key_values bytea[], key_only_ones boolean[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
    wanted record;
    number bigint;
BEGIN
    FOR item IN
        SELECT * FROM unnest(kinds, ids, versions, bodies, expiries)
            WITH ORDINALITY AS given (kind, id, version, sealed, expires_at, place)
    LOOP
        number := NULL;
        IF item.sealed IS NULL THEN
            DELETE FROM document d
            WHERE d.kind = item.kind AND d.id = item.id AND d.version = item.version - 1
            RETURNING d.sequence INTO number;
        ELSIF item.version = 1 THEN
            INSERT INTO document AS d (kind, id, version, sealed, expires_at)
            VALUES (item.kind, item.id, 1, item.sealed, item.expires_at)
            ON CONFLICT DO NOTHING
            RETURNING d.sequence INTO number;
        ELSE
            UPDATE document d SET version = item.version, sealed = item.sealed, expires_at = item.expires_at
            WHERE d.kind = item.kind AND d.id = item.id AND d.version = item.version - 1
            RETURNING d.sequence INTO number;
        END IF;
        IF number IS NULL THEN
            RAISE EXCEPTION 'document has another version' USING ERRCODE = 'PV006', DETAIL = item.place;
        END IF;
        CONTINUE WHEN item.sealed IS NULL;
        -- Keys that stay are not written again.
        IF item.version > 1 THEN
            DELETE FROM document_key k WHERE k.document = number AND NOT EXISTS (
                SELECT 1 FROM unnest(key_documents, key_names, key_values, key_only_ones)
                    AS kept (document, name, value, only_one)
                WHERE kept.document = item.place AND kept.name = k.name AND kept.value = k.value
                    AND kept.only_one = k.only_one
            );
        END IF;
        FOR wanted IN
            SELECT * FROM unnest(key_documents, key_names, key_values, key_only_ones)
                WITH ORDINALITY AS given (document, name, value, only_one, place)
            WHERE given.document = item.place
        LOOP
            INSERT INTO document_key (kind, name, value, document, only_one)
            VALUES (item.kind, wanted.name, wanted.value, number, wanted.only_one)
            ON CONFLICT DO NOTHING;
            IF NOT FOUND AND NOT EXISTS (
                SELECT 1 FROM document_key k
                WHERE k.kind = item.kind AND k.name = wanted.name AND k.value = wanted.value AND k.document = number
            ) THEN
                RAISE EXCEPTION 'key of a document is taken' USING ERRCODE = 'PV007', DETAIL = wanted.place;
            END IF;
        END LOOP;
    END LOOP;
    RETURN moment;
END
$$;

-- A task is due after a wait. One with a holder is leased to it from the start for a term, with fence 1.
CREATE FUNCTION commit_tasks(
    moment bigint, ids bytea[], kinds bigint[], subject_kinds bigint[], subjects bytea[], waits bigint[],
    terms bigint[], holders bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
    first bigint;
BEGIN
    FOR item IN
        SELECT * FROM unnest(ids, kinds, subject_kinds, subjects, waits, terms, holders)
            WITH ORDINALITY AS given (id, kind, subject_kind, subject, wait, term, holder, place)
    LOOP
        first := CASE WHEN item.holder IS NULL THEN 0 ELSE 1 END;
        INSERT INTO task (id, kind, subject_kind, subject, due, ready_at, attempts, fence, holder)
        VALUES (item.id, item.kind, item.subject_kind, item.subject, moment + item.wait,
            moment + greatest(item.wait, item.term), first, first, item.holder)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'task is there already' USING ERRCODE = 'PV008', DETAIL = item.place;
        END IF;
    END LOOP;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_requests(
    moment bigint, enrollments bytea[], endpoints text[], requesters text[], names_shown text[], profiles text[],
    backends text[], states text[], proposals bytea[], keys bytea[], key_algorithms text[], common_names text[],
    alternative_names text[], registrations text[], teams text[], created bigint[], updated bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM unnest(enrollments, endpoints, requesters, names_shown, profiles, backends, states, proposals,
            keys, key_algorithms, common_names, alternative_names, registrations, teams, created, updated)
            AS given (enrollment, endpoint, requester, names, profile, backend, state, proposal, key, key_algorithm, cn,
            sans, registration, team, created_at, updated_at)
    LOOP
        INSERT INTO request AS r (enrollment, endpoint, requester, names, profile, backend, state, proposal, key,
            key_algorithm, cn, sans, registration, team, created_at, updated_at)
        VALUES (item.enrollment, item.endpoint, item.requester, item.names, item.profile, item.backend, item.state,
            item.proposal, item.key, item.key_algorithm, item.cn, item.sans, item.registration, item.team,
            item.created_at, item.updated_at)
        ON CONFLICT (enrollment) DO UPDATE SET endpoint = excluded.endpoint, requester = excluded.requester,
            names = excluded.names, profile = excluded.profile, backend = excluded.backend, state = excluded.state,
            proposal = excluded.proposal, key = excluded.key, key_algorithm = excluded.key_algorithm,
            cn = excluded.cn, sans = excluded.sans, registration = coalesce(excluded.registration, r.registration),
            team = coalesce(excluded.team, r.team), created_at = excluded.created_at,
            updated_at = excluded.updated_at;
    END LOOP;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_certificates(
    moment bigint, enrollments bytea[], backends text[], serials bytea[], names_shown text[], keys bytea[],
    key_algorithms text[], fingerprints bytea[], beginnings bigint[], ends bigint[], endpoints text[], profiles text[],
    profile_versions bigint[], requesters text[], common_names text[], alternative_names text[], registrations text[],
    teams text[], issued bigint[], name_certificates bigint[], name_texts text[], name_kinds bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO certificate (enrollment, backend, serial, names, key, key_algorithm, fingerprint, not_before, not_after,
        endpoint, profile, profile_version, requester, cn, sans, registration, team, issued_at)
    SELECT * FROM unnest(enrollments, backends, serials, names_shown, keys, key_algorithms, fingerprints, beginnings,
        ends, endpoints, profiles, profile_versions, requesters, common_names, alternative_names, registrations, teams,
        issued)
    ON CONFLICT DO NOTHING;
    -- Names say to which certificate they belong by its place.
    INSERT INTO certificate_name (name, enrollment, kinds)
    SELECT given.name, enrollments[given.certificate], given.kinds
    FROM unnest(name_texts, name_certificates, name_kinds) AS given (name, certificate, kinds)
    ON CONFLICT DO NOTHING;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_revoked(
    moment bigint, enrollments bytea[], backends text[], serials bytea[], reasons bigint[], sinces bigint[],
    ends bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT * FROM unnest(enrollments, backends, serials, reasons, sinces, ends)
            AS given (enrollment, backend, serial, reason, revoked_at, not_after)
    LOOP
        INSERT INTO revoked (enrollment, backend, serial, reason, revoked_at, not_after)
        VALUES (item.enrollment, item.backend, item.serial, item.reason, item.revoked_at, item.not_after)
        ON CONFLICT (enrollment) DO UPDATE SET backend = excluded.backend, serial = excluded.serial,
            reason = excluded.reason, revoked_at = excluded.revoked_at, not_after = excluded.not_after;
        UPDATE certificate c SET reason = item.reason, revoked_at = item.revoked_at
        WHERE c.enrollment = item.enrollment;
    END LOOP;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_registrations(
    moment bigint, registrations bytea[], names text[], teams text[], states text[], vouched bigint[], untils bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registration (registration, name, team, state, vouched, until)
    SELECT * FROM unnest(registrations, names, teams, states, vouched, untils)
    ON CONFLICT (registration) DO UPDATE SET name = excluded.name, team = excluded.team, state = excluded.state,
        vouched = excluded.vouched, until = excluded.until;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_secrets(
    moment bigint, secrets bytea[], owners text[], kinds bigint[], given text[], states text[], untils bigint[],
    created bigint[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO secret (secret, owner, kind, reference, state, until, created_at)
    SELECT * FROM unnest(secrets, owners, kinds, given, states, untils, created)
    ON CONFLICT (secret) DO UPDATE SET owner = excluded.owner, kind = excluded.kind, reference = excluded.reference,
        state = excluded.state, until = excluded.until, created_at = excluded.created_at;
    RETURN moment;
END
$$;

CREATE FUNCTION commit_released(moment bigint, enrollments bytea[]) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM revoked r WHERE r.enrollment = ANY (enrollments);
    UPDATE certificate c SET reason = NULL, revoked_at = NULL WHERE c.enrollment = ANY (enrollments);
    RETURN moment;
END
$$;

-- Makes the partitions of this quarter and of the next ones where they are missing; says how many. It runs with the
-- rights of the owner, so that a node needs none on the schema. So it looks names up among the server's own alone, and
-- the schema is written into it: nothing that others make, here or elsewhere, runs with these rights. Rows that have gone
-- into the partition for the rest stay there: a quarter of which it has some gets no partition of its own. Making one
-- needs the table for itself for a moment; whoever has to wait for that lets the others wait as well, so it gives up soon,
-- and is tried again. A partition begins with the first identifier that a UUIDv7 of its time can be.
DO $do$
BEGIN
    EXECUTE pg_catalog.replace($make$
CREATE FUNCTION make_partitions(ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '250ms' AS $body$
DECLARE
    home CONSTANT text := @schema@;
    parent text;
    name text;
    beginning timestamp;
    border timestamp;
    borders bytea[];
    made integer := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['record_by_time', 'request', 'certificate', 'certificate_name', 'revoked'] LOOP
        FOR step IN 0 .. least(ahead, 8) LOOP
            beginning := date_trunc('quarter', clock_timestamp() AT TIME ZONE 'UTC') + step * interval '3 months';
            name := parent || to_char(beginning, '"_"YYYY"q"Q');
            CONTINUE WHEN to_regclass(format('%I.%I', home, name)) IS NOT NULL;
            borders := ARRAY[]::bytea[];
            FOREACH border IN ARRAY ARRAY[beginning, beginning + interval '3 months'] LOOP
                borders := borders || decode(
                    lpad(to_hex(floor(extract(epoch FROM border) * 1000)::bigint), 12, '0') || repeat('00', 10), 'hex');
            END LOOP;
            BEGIN
                EXECUTE format('CREATE TABLE %I.%I PARTITION OF %I.%I FOR VALUES FROM (%L) TO (%L)',
                    home, name, home, parent, borders[1], borders[2]);
                made := made + 1;
            EXCEPTION WHEN check_violation OR duplicate_table OR lock_not_available THEN
                RAISE WARNING 'partition % was not made: %', name, SQLERRM;
            END;
        END LOOP;
    END LOOP;
    RETURN made;
END
$body$
    $make$, '@schema@', pg_catalog.quote_literal(pg_catalog.current_schema()::text));
END
$do$;

REVOKE ALL ON FUNCTION make_partitions(integer) FROM PUBLIC;

SELECT make_partitions(2);

-- The audit log: which leaf each sealed record is, the roots of full subtrees of 256, 65536, … leaves, how far sealing
-- went, and the checkpoints that were signed. Nothing of it is written by a commit: sealing follows.
CREATE INDEX record_by_sequence ON record (sequence);

CREATE TABLE audit_leaf (
    leaf     bigint NOT NULL PRIMARY KEY CHECK (leaf >= 0),
    sequence bigint NOT NULL,
    kind     bigint NOT NULL,
    stream   bytea  NOT NULL CHECK (octet_length(stream) = 16),
    position bigint NOT NULL,
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32),
    CONSTRAINT audit_leaf_place UNIQUE (kind, stream, position)
);

CREATE TABLE audit_node (
    level bigint NOT NULL CHECK (level > 0),
    node  bigint NOT NULL CHECK (node >= 0),
    hash  bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, node)
);

CREATE TABLE audit_tree (
    singleton bigint NOT NULL PRIMARY KEY CHECK (singleton = 1),
    size      bigint NOT NULL,
    high      bigint NOT NULL,
    watermark bigint NOT NULL
);
INSERT INTO audit_tree (singleton, size, high, watermark) VALUES (1, 0, 0, 0);

CREATE TABLE audit_checkpoint (
    number bigint NOT NULL PRIMARY KEY CHECK (number > 0),
    size   bigint NOT NULL,
    at     bigint NOT NULL,
    note   text   NOT NULL
);

-- Records without a leaf: those in the ranges, and those after a number, the lowest first. The question for a leaf is one
-- for each row, so that no plan goes through all leaves, and the tables are never gone through in their own order.
CREATE FUNCTION audit_unsealed(los bigint[], his bigint[], behind bigint, many bigint)
RETURNS TABLE (
    sequence bigint, kind bigint, stream bytea, "position" bigint, header bytea, payload_digest bytea, key bytea,
    signature bytea
)
LANGUAGE sql STABLE SET enable_seqscan = off AS $$
    SELECT * FROM (
        (SELECT r.sequence, r.kind, r.stream, r.position, r.header, r.payload_digest, r.key, r.signature
         FROM unnest(los, his) AS w (lo, hi) CROSS JOIN LATERAL
            (SELECT * FROM record WHERE record.sequence BETWEEN w.lo AND w.hi) r
         WHERE (SELECT l.leaf FROM audit_leaf l
                WHERE l.kind = r.kind AND l.stream = r.stream AND l.position = r.position) IS NULL)
        UNION ALL
        (SELECT r.sequence, r.kind, r.stream, r.position, r.header, r.payload_digest, r.key, r.signature
         FROM record r
         WHERE r.sequence > behind
            AND (SELECT l.leaf FROM audit_leaf l
                 WHERE l.kind = r.kind AND l.stream = r.stream AND l.position = r.position) IS NULL
         ORDER BY r.sequence LIMIT many)
    ) u ORDER BY u.sequence LIMIT many
$$;

-- Whoever seals must still have the duty. The row stays locked to the end of the statement, so that nobody else can take
-- it meanwhile.
CREATE FUNCTION audit_check_holder(duty_held text, holder bytea, fence_held bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM lease l WHERE l.duty = duty_held AND l.node = holder AND l.fence = fence_held FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another node has the duty' USING ERRCODE = 'PV020', DETAIL = '1';
    END IF;
END
$$;

CREATE FUNCTION audit_seal(
    duty_held text, holder bytea, fence_held bigint, size_before bigint, high_now bigint, watermark_now bigint,
    sequences bigint[], kinds bigint[], streams bytea[], positions bigint[], hashes bytea[],
    node_levels bigint[], nodes bigint[], node_hashes bytea[]
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_check_holder(duty_held, holder, fence_held);
    UPDATE audit_tree SET size = size_before + cardinality(sequences), high = high_now, watermark = watermark_now
    WHERE singleton = 1 AND size = size_before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the tree has another size' USING ERRCODE = 'PV021', DETAIL = '1';
    END IF;
    INSERT INTO audit_leaf (leaf, sequence, kind, stream, position, hash)
    SELECT size_before + given.place - 1, given.sequence, given.kind, given.stream, given.position, given.hash
    FROM unnest(sequences, kinds, streams, positions, hashes) WITH ORDINALITY
        AS given (sequence, kind, stream, position, hash, place);
    INSERT INTO audit_node (level, node, hash) SELECT * FROM unnest(node_levels, nodes, node_hashes);
    RETURN size_before;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'a record or leaf is sealed already' USING ERRCODE = 'PV022', DETAIL = '1';
END
$$;

CREATE FUNCTION audit_keep_checkpoint(
    duty_held text, holder bytea, fence_held bigint, which bigint, leaves bigint, signed_at bigint, signed text,
    kept bigint
) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM audit_check_holder(duty_held, holder, fence_held);
    INSERT INTO audit_checkpoint (number, size, at, note) VALUES (which, leaves, signed_at, signed)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is a checkpoint with this number' USING ERRCODE = 'PV021', DETAIL = '1';
    END IF;
    DELETE FROM audit_checkpoint c WHERE c.number < which - kept;
    RETURN which;
END
$$;

-- Removes what the records of an enrollment, a proposal or a registration say, below the position of the record that says
-- so, and its names where they are shown. It runs with the rights of the owner, since no node may change a record; all it can do is this, and only
-- behind a record that a console has written.
CREATE FUNCTION audit_erase(kind_erased bigint, stream_erased bytea, said bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM 1 FROM record r WHERE r.kind = kind_erased AND r.kind IN (1, 2, 10) AND r.stream = stream_erased
        AND r.position = said AND record_purpose(r.header) = 4;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    UPDATE record r SET salt = NULL, payload = NULL
    WHERE r.kind = kind_erased AND r.stream = stream_erased AND r.position < said AND r.salt IS NOT NULL;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF kind_erased = 1 THEN
        UPDATE request q SET names = '', requester = '', cn = '', sans = '', registration = NULL
        WHERE q.enrollment = stream_erased;
        UPDATE certificate c SET names = '', requester = '', cn = '', sans = '', registration = NULL
        WHERE c.enrollment = stream_erased;
        DELETE FROM certificate_name n WHERE n.enrollment = stream_erased;
    ELSIF kind_erased = 10 THEN
        DELETE FROM registration g WHERE g.registration = stream_erased;
    END IF;
    RETURN written;
END
$$;

REVOKE ALL ON FUNCTION audit_erase(bigint, bytea, bigint) FROM PUBLIC;

-- What it names is the server's or stands in this schema. Temporary tables come last: left out they would come first, and a
-- session could put one of its own in the place of `record`.
DO $do$
BEGIN
    EXECUTE pg_catalog.format('ALTER FUNCTION audit_erase(bigint, bytea, bigint) SET search_path = pg_catalog, %I, pg_temp',
        pg_catalog.current_schema());
END
$do$;
