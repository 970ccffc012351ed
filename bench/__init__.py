"""Measures what ostiary costs on this machine: `python -m bench`, or `make bench`; `--write` keeps it in RESULTS.md.

Read in this order: `__main__` (what is measured), `load` (who asks), `servers` (who answers), `gauges` (what is read
off), `people` (accounts to sign in with), `statements` (what each flow does to the database), `report`.
"""
