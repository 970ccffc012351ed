"""The ribs: one folder per thing a user could name. They do not import each other; `engine/features.py` lists them."""
