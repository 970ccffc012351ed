"""Owns looking at how a database goes about a statement: what SQLite plans, and what PostgreSQL really reads."""

from contextlib import closing
from typing import Any

from ostiary.storage.statement import Query
from tests.storage.shelf import plain_engine


def sqlite_plan(url: str, query: Query[Any], arguments: dict[str, Any]) -> str:
    """The steps of SQLite's plan, one a line."""
    compiled = query.on("sqlite")
    engine = plain_engine(url)
    with closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", compiled.arguments(arguments))
        steps = [row[3] for row in cursor.fetchall()]
    engine.dispose()
    return "\n".join(steps)


def postgres_reads(url: str, query: Query[Any], arguments: dict[str, Any]) -> int:
    """How many rows PostgreSQL takes out of tables for a query, those that it then drops among them.

    It runs the query, with fresh statistics.
    """
    compiled = query.on("postgresql")
    sql = compiled.sql
    for number in range(len(compiled.slots), 0, -1):
        sql = sql.replace(f"${number}::", f"%(p{number})s::")
    values = {f"p{number}": value for number, value in enumerate(compiled.arguments(arguments), 1)}
    engine = plain_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values).scalar_one()
    engine.dispose()
    return _reads(plan[0]["Plan"])


def _reads(node: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in node:
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return int(own) + sum(_reads(below) for below in node.get("Plans", ()))
