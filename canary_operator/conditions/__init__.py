"""Argo's analysis rules without Argo: the condition language, measurements, metrics, arguments.

Law: pure. Text and numbers in, values out; no I/O, clock, randomness or logging.
"""
