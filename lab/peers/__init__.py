"""Servers with the API of Prometheus, side by side: Prometheus 2 and 3, VictoriaMetrics, Thanos over two Prometheus 3.

Law: for `make test-compat` alone; no cluster is needed, and no lab starts any of it.
"""

from lab.peers.serving import SERVERS, Peers, start

__all__ = ["SERVERS", "Peers", "start"]
