"""Speed measured on the real service: ``python -m benchmarks NAME``; figures are kept in RESULTS.md."""
