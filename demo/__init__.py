"""Three releases in front of your eyes: a healthy one, a bad one, and one during an outage of Prometheus.

    make demo            (or: python -m demo; SPEED, KEEP and LAB are read from the environment)

Law: for people to watch. It uses the lab, the shipped manifests and examples/api-service as any user would, and
nothing of the operator but its command line and what it writes into the cluster.
"""
