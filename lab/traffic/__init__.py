"""The traffic world: what a fleet of real HTTP services would expose, for pods without containers.

It follows the pods that really exist and the weights that Argo really set.

Law: `world`, `shares` and `chance` are pure of clock and network; `following` reads the cluster;
`serving` speaks HTTP; `client` is what tests and scripts import.
"""
