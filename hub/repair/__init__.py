"""For whoever sends: find the failed message, see why in plain words, mend it, send it again, and see it go through.

It needs no rights beyond a tenant's own, and nothing of the hub but its contracts: a vendor may run it anywhere.
"""
