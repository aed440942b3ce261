"""What we promise: schemas, wire format, topics, who may read and write, and what an input must look like."""
