"""File scoring: the served model over a whole file, offline. Never part of the Bento."""
