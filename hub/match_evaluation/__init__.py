"""Measures the matcher on files of persons, and trains the model that the fold adopts."""
