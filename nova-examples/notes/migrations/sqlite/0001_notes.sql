-- AUTOINCREMENT: the id of a deleted note is never given again.
CREATE TABLE notes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    title       TEXT NOT NULL,
    body        TEXT NOT NULL,
    author      TEXT NOT NULL,
    inserted_at TEXT NOT NULL
);
