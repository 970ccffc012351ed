"""Tables' metadata, the statements and the executor that runs them. The only place that imports a database driver.

SQLAlchemy Core *expresses* statements, once per process and dialect; asyncpg or sqlite3 *runs* them.
"""
