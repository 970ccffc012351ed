"""The engine: settings in, one wired whole out. `features.py` is the list of ribs; delete a line and a rib is gone."""
