"""Processes that cannot outlive their lab.

Law: this room knows nothing of Kubernetes; it starts, stops and counts processes.
"""
