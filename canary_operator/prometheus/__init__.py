"""Asking Prometheus, or whatever speaks its query API.

Law: the only room that talks to a provider. What comes out are answers and absences, never exceptions.
"""
