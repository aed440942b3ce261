"""`hub doctor`: looks at a running hub from outside, and names what is wrong with the one next step."""
