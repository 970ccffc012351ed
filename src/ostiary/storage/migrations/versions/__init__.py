"""One file per revision, expand before contract: the version before must run on the schema after."""
