"""Texts in files, through the path that guarded ones take: rows in, scores, verdicts and spans out."""
