"""Whose requests a series counts: the labels that tell a Rollout's canary from its stable version.

    subject     what is known about the two versions      candidate   one way to tell them apart, and its traits
    pods        by the pods' own labels                   presets/    one file for each kind of metrics
    choosing    which ways to try, and the first that has series

Law: pure. A way that could take one version, another Rollout or another namespace for what is meant is not offered:
it is Unfit, with the reason. Values from Kubernetes are escaped before they are part of a pattern.
"""
