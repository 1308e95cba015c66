"""How people use it: the pages, the server and the command line."""
