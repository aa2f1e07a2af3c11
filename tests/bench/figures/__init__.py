"""One module for each group of figures; each has `measure_…(scale, folder)`, which gives its rows."""
