"""One file a subcommand, its click command named `command`; the file's name is the subcommand's (`_` for `-`)."""
