"""The shared layout of all mails, and in `mail/` the mails that belong to no rib."""
