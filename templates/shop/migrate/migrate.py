"""Brings the database's tables up to date: runs each file of migrations/ that has not run yet, in order."""

from pathlib import Path

import psycopg2

with psycopg2.connect("") as connection, connection.cursor() as cursor:  # one transaction: all or nothing
    cursor.execute("SELECT pg_advisory_xact_lock(8080)")  # one at a time
    cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, ran_at timestamptz DEFAULT now())")
    cursor.execute("SELECT name FROM migrations")
    done = {name for (name,) in cursor.fetchall()}
    files = sorted(Path(__file__).with_name("migrations").glob("*.sql"))
    for file in files:
        if file.name not in done:
            print(f"migrate: {file.name}")
            cursor.execute(file.read_text())
            cursor.execute("INSERT INTO migrations (name) VALUES (%s)", (file.name,))

print(f"migrate: up to date, {len(files)} migrations")
