"""What the libraries do, once more and in the open: the code that notebooks 04, 05 and 06 build cell by cell.

The only place of pricelab that re-implements libraries, and on purpose. Everything else uses the real ones.
"""
