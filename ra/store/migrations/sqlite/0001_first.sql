-- Times are milliseconds since 1970 (UTC), identifiers are 16 octets, digests 32. README.md explains each table.

-- What happened, as signed records. `sequence` is the order of commits; a number is never used again, so that what comes
-- after rows that somebody removed is sealed like everything else.
CREATE TABLE record (
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT CHECK (sequence > 0),
    kind           INTEGER NOT NULL,
    stream         BLOB    NOT NULL CHECK (length(stream) = 16),
    position       INTEGER NOT NULL CHECK (position > 0),
    header         BLOB    NOT NULL,
    payload_digest BLOB    NOT NULL,
    salt           BLOB,
    payload        BLOB,
    key            BLOB    NOT NULL,
    signature      BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_place ON record (kind, stream, position);

-- From a client's handle to an enrollment.
CREATE TABLE claim (
    key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    requester  BLOB    NOT NULL,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    enrollment BLOB    NOT NULL CHECK (length(enrollment) = 16),
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_until ON claim (until);

-- Values that are good once.
CREATE TABLE spent (
    key   BLOB    NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_until ON spent (until);

-- Unique keys that lead to a stream.
CREATE TABLE reservation (
    space  INTEGER NOT NULL,
    key    BLOB    NOT NULL CHECK (length(key) = 32),
    kind   INTEGER NOT NULL,
    stream BLOB    NOT NULL CHECK (length(stream) = 16),
    PRIMARY KEY (space, key)
) STRICT, WITHOUT ROWID;

-- Background work. `ready_at` is when it may be claimed: when it is due, or when its lease ends.
CREATE TABLE task (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind         INTEGER NOT NULL,
    subject_kind INTEGER NOT NULL,
    subject      BLOB    NOT NULL CHECK (length(subject) = 16),
    due          INTEGER NOT NULL,
    ready_at     INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    fence        INTEGER NOT NULL,
    holder       BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX task_ready ON task (ready_at);

-- Duties that one node does at a time.
CREATE TABLE lease (
    duty  TEXT    NOT NULL PRIMARY KEY,
    node  BLOB    NOT NULL CHECK (length(node) = 16),
    fence INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A protocol's private state, sealed. `sequence` is the order of creation.
CREATE TABLE document (
    sequence   INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL,
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    version    INTEGER NOT NULL CHECK (version > 0),
    sealed     BLOB    NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE UNIQUE INDEX document_id ON document (kind, id);
CREATE INDEX document_expires ON document (expires_at) WHERE expires_at IS NOT NULL;

-- Secondary keys of documents; `only` says that no other document of the kind may have it.
CREATE TABLE document_key (
    kind     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    value    BLOB    NOT NULL,
    document INTEGER NOT NULL REFERENCES document (sequence) ON DELETE CASCADE,
    only     INTEGER NOT NULL,
    PRIMARY KEY (kind, name, value, document)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_key_document ON document_key (document);
CREATE UNIQUE INDEX document_key_only ON document_key (kind, name, value) WHERE only = 1;

-- What follows only finds and shows.
CREATE TABLE request (
    enrollment    BLOB    NOT NULL PRIMARY KEY CHECK (length(enrollment) = 16),
    endpoint      TEXT    NOT NULL,
    requester     TEXT    NOT NULL,
    names         TEXT    NOT NULL,
    profile       TEXT    NOT NULL,
    backend       TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    proposal      BLOB,
    key           BLOB    NOT NULL CHECK (length(key) = 32),
    key_algorithm TEXT    NOT NULL,
    cn            TEXT    NOT NULL,
    sans          TEXT    NOT NULL,
    registration  TEXT,
    team          TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
    enrollment      BLOB    NOT NULL PRIMARY KEY CHECK (length(enrollment) = 16),
    backend         TEXT    NOT NULL,
    serial          BLOB    NOT NULL CHECK (length(serial) = 20),
    names           TEXT    NOT NULL,
    key             BLOB    NOT NULL CHECK (length(key) = 32),
    key_algorithm   TEXT    NOT NULL,
    fingerprint     BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    not_before      INTEGER NOT NULL,
    not_after       INTEGER NOT NULL,
    endpoint        TEXT    NOT NULL,
    profile         TEXT    NOT NULL,
    profile_version INTEGER NOT NULL,
    requester       TEXT    NOT NULL,
    cn              TEXT    NOT NULL,
    sans            TEXT    NOT NULL,
    registration    TEXT,
    team            TEXT,
    issued_at       INTEGER NOT NULL,
    reason          INTEGER,
    revoked_at      INTEGER
) STRICT, WITHOUT ROWID;
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
    name       TEXT    NOT NULL,
    enrollment BLOB    NOT NULL CHECK (length(enrollment) = 16),
    kinds      INTEGER NOT NULL,
    PRIMARY KEY (name, enrollment)
) STRICT, WITHOUT ROWID;
-- Those of an enrollment are erased together.
CREATE INDEX certificate_name_enrollment ON certificate_name (enrollment);

CREATE TABLE revoked (
    enrollment BLOB    NOT NULL PRIMARY KEY CHECK (length(enrollment) = 16),
    backend    TEXT    NOT NULL,
    serial     BLOB    NOT NULL CHECK (length(serial) = 20),
    reason     INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    not_after  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_serial ON revoked (backend, serial, enrollment);

CREATE TABLE registration (
    registration BLOB NOT NULL PRIMARY KEY CHECK (length(registration) = 16),
    name         TEXT NOT NULL,
    team         TEXT,
    state        TEXT NOT NULL,
    vouched      INTEGER NOT NULL,
    until        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX registration_vouched ON registration (vouched, registration) WHERE vouched = 1;

-- Secrets are listed until some time after their time is over.
CREATE TABLE secret (
    secret     BLOB NOT NULL PRIMARY KEY CHECK (length(secret) = 16),
    owner      TEXT NOT NULL,
    kind       INTEGER NOT NULL,
    reference  TEXT NOT NULL,
    state      TEXT NOT NULL,
    until      INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_owner ON secret (owner, secret);
CREATE INDEX secret_kind ON secret (kind, secret);
CREATE INDEX secret_until ON secret (until) WHERE until IS NOT NULL;

-- One row each: which installation this is, and what a probe last wrote.
CREATE TABLE installation (
    singleton  INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    id         BLOB    NOT NULL CHECK (length(id) = 16),
    made_by    TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE probe (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    at        INTEGER NOT NULL
) STRICT;

-- What is needed before any sealer exists: the wrapped keyset, the node's id.
CREATE TABLE installation_value (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit log: which leaf each sealed record is, the roots of full subtrees of 256, 65536, … leaves, how far sealing
-- went, and the checkpoints that were signed.
CREATE TABLE audit_leaf (
    leaf     INTEGER NOT NULL PRIMARY KEY CHECK (leaf >= 0),
    sequence INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    stream   BLOB    NOT NULL CHECK (length(stream) = 16),
    position INTEGER NOT NULL,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE UNIQUE INDEX audit_leaf_place ON audit_leaf (kind, stream, position);

CREATE TABLE audit_node (
    level INTEGER NOT NULL CHECK (level > 0),
    node  INTEGER NOT NULL CHECK (node >= 0),
    hash  BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, node)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_tree (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    size      INTEGER NOT NULL,
    high      INTEGER NOT NULL,
    watermark INTEGER NOT NULL
) STRICT;
INSERT INTO audit_tree (singleton, size, high, watermark) VALUES (1, 0, 0, 0);

CREATE TABLE audit_checkpoint (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    size   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    note   TEXT    NOT NULL
) STRICT;
