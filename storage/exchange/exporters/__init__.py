"""One module for each kind of file that conversations can be written as."""
