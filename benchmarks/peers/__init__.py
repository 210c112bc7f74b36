"""The other servers, each around the same weights; they run in an environment of their own."""
