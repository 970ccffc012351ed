"""What at least two features need and none may skip: accounts, sign-in, sessions, tokens, passwords, keys, journal."""
