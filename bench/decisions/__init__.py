"""Worlds, rules and measures: what a rule decides on counts whose truth is known.

    worlds   requests and errors of every pod, tick by tick      twin    the operator's rule, many releases at once
    peers    Argo's, Flagger's, Kayenta's rules, a threshold     tables  measures, tables and pictures

Law: every rule gets the same counts. The rule of the operator is computed with numpy for speed; each run compares a
sample of its decisions with those of ``canary_operator.stats``.
"""
