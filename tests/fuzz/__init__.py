"""What no text may do to the condition language: crash it, hang it, or take more than its bounds."""
