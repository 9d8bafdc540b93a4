-- Names are compared byte by byte: `Ann` and `ann` are two. SQLite's primary keys take NULL
-- unless told otherwise.
CREATE TABLE users (
    username      TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL
);
