"""Numbers for the documentation: each command prints versions, machine and what it measured."""
