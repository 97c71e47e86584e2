"""What is told and kept of a decision: Events, AnalysisRuns, and the chain of GateDecisions.

Law: pure builders of bodies; cluster/ writes them, after the outcome is known.
"""
