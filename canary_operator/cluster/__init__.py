"""The cluster: what the watch has told, what is read and written, and how a write is fenced.

Law: nothing here decides. kopf is not known here; other rooms import the modules, not this package.
"""
