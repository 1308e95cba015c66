"""How people use it: the pages, the server and the command line."""

import gc

# Loading leaves no garbage; to look for it four hundred times, as usual, is a tenth of the start.
gc.set_threshold(50_000)
