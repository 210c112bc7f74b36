"""Speed, measured against other servers on one machine in one run: `make bench`."""
