"""The public door: OpenAI's HTTP API in front of all models. See docs/api.md."""
