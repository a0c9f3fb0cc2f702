"""What calls may be given: the names and types of options, and the checks of single values.

Knows nothing of what a call does with them.
"""
