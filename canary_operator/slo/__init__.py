"""Definitions of SLOs: Pyrra, Sloth, OpenSLO, AnalysisTemplates and inline ones become one indicator.

Law: pure. Mappings and text in, nouns out; no I/O, clock or logging. PromQL is read by promql-parser; what this
room writes into it is put in token by token and read again to prove that nothing else changed.
"""
