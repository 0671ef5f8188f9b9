"""Our own training turns, composed out of hand-written frames."""
