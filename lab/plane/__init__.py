"""A real control plane without containers: which programs, with which flags, in which order.

Law: this room describes and orders processes; starting and ending them is `lab.processes`' work.
"""
