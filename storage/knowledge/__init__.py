"""Collections of a person's documents: read, cut into passages, indexed, searched.

    file -> `reading` (one reader a format) -> blocks -> `passages` -> `collections` (rows, words, vectors)
    question -> `search`: words (FTS5) and vectors, merged by rank

Vectors come and go as numpy arrays; nothing here knows who computes them.
"""
