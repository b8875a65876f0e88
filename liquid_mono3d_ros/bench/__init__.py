"""Each published number has a command that prints it: one module a table, JSON out."""
