"""Parts of `corpus_table.py`: what is found, how each model is measured, and the page."""
