"""The diary's pages for patients: see, book, move, cancel, wait for an earlier time, subscribe."""
