"""Supervision as OTP has it: specs and decisions are values and pure functions; one loop carries them out."""
