"""Mail: ribs `send` a template with a context through the outbox; a worker composes it and hands it to a transport.

Read `template` (what a mail declares), `sources` and `render` (its files, ours and the operator's), `language` and
`words` (in whose language), `compose` (the message), `post` (the front for ribs), `smtp` with `smtp_lines`, and
`mailbox` (the transports), `notices` (mails to an account's owner about events that say so).
"""
