"""The past on disk: the archive, the thread that writes it, and what is brought back from it."""
