"""The version of this distribution: its build reads it here, and so does who would have to search for it."""

VERSION = "0.1.0"
