"""Argo's own analysis controller as the judge of ours: cases by seed, recorded answers, replays.

Law: what Argo did is recorded once on the lab and kept; everything else here is pure and needs no lab.
"""
