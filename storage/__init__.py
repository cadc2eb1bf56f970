"""One SQLite file. Knows neither Qt nor models."""
