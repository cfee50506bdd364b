"""Other people's software, run beside ours: benchmarks and golden files only, never the product."""
