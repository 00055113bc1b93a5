"""The command `isthmus`: one file for each group of commands; every command calls the functions that the server calls."""
