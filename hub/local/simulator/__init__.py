"""A simulated nation: who lives where, who registers with whom, what goes wrong, and what a hub should make of it.

`national` draws the world, `stories` turns it into messages, `accidents` plants what goes wrong, `tenants` publishes
and reads as tenants do, `live` walks through the days, `truth` keeps what really happened apart from all that.
"""
