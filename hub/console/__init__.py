"""The page for people on duty: what every region's colour is, what asks for a decision, and whether the hub is well."""
