"""The applications of the matrix, one to a framework; `subjects.py` says which routes they have."""
