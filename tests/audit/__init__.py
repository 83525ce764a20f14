"""An audit that recomputes the published reports in plain Python and compares every cell (`make audit`)."""
