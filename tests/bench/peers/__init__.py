"""What is measured: ours, the floors, and servers that people would take instead."""
