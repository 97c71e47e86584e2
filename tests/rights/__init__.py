"""Which of the rights that the manifests grant the tests have used: ``python -m tests.rights LAB``."""
