"""The command line: a frame in `main`, one file per command, loaded on use."""
