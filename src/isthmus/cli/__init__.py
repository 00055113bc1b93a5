"""The command `isthmus`: one file for each group of commands; a command calls what the server calls."""
