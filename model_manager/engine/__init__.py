"""Running a model: the worker process, its protocol, its supervisor and its clients."""
