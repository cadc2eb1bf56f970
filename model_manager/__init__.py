"""Models: find, fetch, run. Knows neither Qt nor SQL."""
