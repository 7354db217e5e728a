"""The command `edgevoice`: one file a subcommand."""
