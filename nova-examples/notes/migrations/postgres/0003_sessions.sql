CREATE TABLE IF NOT EXISTS nova_sessions (
    id_hash TEXT NOT NULL PRIMARY KEY, -- never the id itself, which is as good as a password
    user_id TEXT,
    data    TEXT NOT NULL,             -- JSON
    version BIGINT NOT NULL,
    ends_at BIGINT NOT NULL            -- milliseconds of Unix time
);
CREATE INDEX IF NOT EXISTS nova_sessions_user_id ON nova_sessions (user_id);
CREATE INDEX IF NOT EXISTS nova_sessions_ends_at ON nova_sessions (ends_at);
