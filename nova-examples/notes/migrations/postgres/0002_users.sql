-- Names are compared byte by byte: `Ann` and `ann` are two.
CREATE TABLE users (
    username      TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL
);
