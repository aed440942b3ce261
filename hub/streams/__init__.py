"""When it runs: the Faust app, the one carrier for folds, the one relay for everything else, and their wiring."""
